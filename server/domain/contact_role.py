"""Which answer is whose: telling e-mail, phone and names by what a question is called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache

from server.domain.lead_fields import SYNONYMS, our_name

MAX_TITLE_CHARS = 200
"""No question for a name or a number is longer."""


class Role(StrEnum):
    """What a contact answer says of the person."""

    EMAIL = "email"
    PHONE = "phone"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    NAME = "name"


TITLES: Mapping[Role, tuple[str, ...]] = {
    Role.EMAIL: (
        *("E-mail", "E-mail address", "Email ID", "Work email", "Personal email"),
        *("Adresse e-mail", "Adresse email", "Adresse mail", "Courriel"),
        *("Correo", "Correo electrónico", "Dirección de correo electrónico"),
        *("E-Mail-Adresse", "Emailadresse", "Mailadresse", "E-mailadres"),
        *("Indirizzo e-mail", "Endereço de e-mail"),
        *("Электронная почта", "Почта", "البريد الإلكتروني"),
    ),
    Role.PHONE: (
        *("Contact number", "Cell", "Cell phone", "Cell phone number", "Telephone number"),
        *("Mobile phone", "Mobile phone number", "WhatsApp number", "Phone or WhatsApp number"),
        *("Mobile WhatsApp", "Phone WhatsApp"),
        *("Téléphone", "Numéro de téléphone", "Teléfono", "Número de teléfono", "Celular"),
        *("Telefon", "Telefonnummer", "Handynummer", "Telefoonnummer"),
        *("Telefono", "Numero di telefono", "Telefone", "Número de telefone"),
        *("Телефон", "Номер телефона", "رقم الهاتف", "رقم الجوال"),
    ),
    Role.FIRST_NAME: (
        *("Prénom", "Primer nombre", "Vorname", "Voornaam", "Primeiro nome"),
        *("Имя", "الاسم الأول"),
    ),
    Role.LAST_NAME: (
        *("Second name", "Nom de famille", "Apellido", "Apellidos"),
        *("Nachname", "Familienname", "Achternaam", "Cognome", "Sobrenome"),
        *("Фамилия", "اسم العائلة"),
    ),
    Role.NAME: (
        *("First and last name", "First name and last name", "Name and surname"),
        *("Nom", "Nom complet", "Nom et prénom", "Prénom et nom"),
        *("Nombre", "Nombre completo", "Nombre y apellidos"),
        *("Vor- und Nachname", "Vollständiger Name", "Naam", "Volledige naam"),
        *("Nome", "Nome completo", "Nome e cognome", "ФИО", "الاسم", "الاسم الكامل"),
    ),
}
"""The commonest titles of contact questions beside the English names of form fields."""

_FILLERS = (
    "what whats what's is your the a an my our and best please enter give provide share tell leave "
    "us me you we i to reach call send it at on for with can could should may have confirm "
    "where which "
    "thanks thank great ok hi hello so now "
    "quel quelle est votre vos ton ta le la les l de du et cual es su tu el y por favor "
    "wie lautet ist ihr ihre dein deine bitte und qual il tuo tua di e o seu sua wat je jouw uw"
)
_ASIDE = re.compile(r"\([^()]*\)")
_WORD = re.compile(r"[^\W_]+")


def _words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(char for char in decomposed if not unicodedata.combining(char)))


_FILLER_WORDS = frozenset(_words(_FILLERS))


@lru_cache(1_000)
def _core(title: str) -> str:
    """A title without asides, politeness, accents and spaces: of "Your phone (UK)?" "phone"."""
    words = _words(_ASIDE.sub(" ", title))
    return "".join(word for word in words if word not in _FILLER_WORDS)


_ROLES_OF_NAMES: Mapping[str, Role] = {role.value: role for role in Role}
_ROLES_OF_TITLES: Mapping[str, Role] = {
    _core(title): role for role in Role for title in (*SYNONYMS[role], *TITLES[role])
}


def role_of_name(name: str) -> Role | None:
    """The role that a field's name (a ref, a key, a hidden field) tells."""
    ours = our_name(name) if name.isascii() else None
    return _ROLES_OF_NAMES.get(ours or "")


def role_of_title(title: str) -> Role | None:
    """The role that a question for people tells: the whole title, never a word of it."""
    if len(title) > MAX_TITLE_CHARS:
        return None
    return _ROLES_OF_TITLES.get(_core(title))


def fits(role: Role, answer: str) -> bool:
    """Whether an answer can be what its question asks for: people write "n/a" as well.

    No name is JSON, as which the answer of an unknown kind of question is kept.
    """
    if role is Role.EMAIL:
        return "@" in answer
    if role is Role.PHONE:
        return any(char.isdigit() for char in answer)
    return any(char.isalpha() for char in answer) and not answer.startswith(("{", "["))


def split_name(name: str, first_name: str, last_name: str) -> tuple[str, str]:
    """First and last name, what is missing of them taken from the full name.

    Where nothing tells them apart, the first name is the first word.
    """
    full = " ".join(name.split())
    if not first_name and not last_name:
        first, _, last = full.partition(" ")
        return first, last
    if not last_name:
        rest = full.removeprefix(f"{first_name} ")
        return first_name, "" if rest == full else rest
    return first_name or f" {full}".removesuffix(f" {last_name}").strip(), last_name
