"""People who do not exist: names of several cultures, reserved numbers, addresses of examples.

E-mail addresses are of example.com and example.org (RFC 2606), network addresses of the ranges
for documentation (RFC 3849, RFC 5737), phone numbers of those that regulators keep for films
(+44 20 7946 0xxx, +44 7700 900xxx, +1 xxx 555 01xx) or of no network (+971 50 000 xxxx).
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple


class Nation(NamedTuple):
    """Where somebody browses from; `names` and `phones` are keys of the tables below."""

    country: str
    weight: int
    timezone: str
    languages: tuple[str, ...]
    names: tuple[str, ...]
    phones: tuple[str, ...]


NATIONS = (
    Nation("GB", 38, "Europe/London", ("en-GB",), ("british", "indian", "polish"), ("GB",)),
    Nation("AE", 20, "Asia/Dubai", ("en-AE", "ar-AE"), ("arabic", "indian", "british"), ("AE",)),
    Nation("US", 9, "America/New_York", ("en-US",), ("british", "spanish", "chinese"), ("US",)),
    Nation("IN", 8, "Asia/Kolkata", ("en-IN", "hi-IN"), ("indian",), ("AE", "GB")),
    Nation("SA", 5, "Asia/Riyadh", ("ar-SA",), ("arabic",), ("AE",)),
    Nation("FR", 4, "Europe/Paris", ("fr-FR",), ("french", "arabic"), ("GB",)),
    Nation("DE", 4, "Europe/Berlin", ("de-DE",), ("german", "polish"), ("GB", "AE")),
    Nation("SG", 4, "Asia/Singapore", ("en-SG", "zh-SG"), ("chinese", "indian"), ("GB",)),
    Nation("NG", 4, "Africa/Lagos", ("en-NG",), ("nigerian",), ("GB",)),
    Nation("ES", 3, "Europe/Madrid", ("es-ES",), ("spanish",), ("GB",)),
)
_WEIGHTS = list(itertools.accumulate(nation.weight for nation in NATIONS))

_NAMES = {
    "british": (
        "Alice Ben Charlotte Daniel Emily Fergus Grace Harry Isla Jack Nora Owen Poppy Rhys Zoë",
        (
            "Ashdown Barrow Clarke Davies Ellison Fairbank Gardner Hughes Kerr Lennox Marsh Newell"
            " O'Brien Pritchard Whitlock"
        ),
    ),
    "arabic": (
        "Ahmed Aisha Fatima Hassan Huda Khalid Layla Mariam Noor Omar Rania Saeed Yusuf محمد",
        (
            "Al-Amiri Al-Farsi Al-Hashimi Al-Mansoori Darwish Haddad Ibrahim Khoury Mansour Nasser"
            " Qasim Rahman Saleh Tahan Zayed"
        ),
    ),
    "indian": (
        "Aarav Ananya Arjun Deepa Ishaan Kavya Meera Nikhil Priya Rahul Riya Rohan Sanjay Vikram",
        "Agarwal Banerjee Chopra Desai Gupta Iyer Joshi Kapoor Menon Nair Patel Rao Sharma Varma",
    ),
    "french": (
        "Amélie Bastien Camille Étienne Hélène Julien Léa Mathieu Noémie Océane Rémi Théo",
        "Aubert Bonnet Chevalier Dufour Fontaine Girard Lefèvre Mercier Perrin Renaud Vasseur",
    ),
    "german": (
        "Anja Björn Claudia Dieter Friederike Jürgen Katrin Lars Mareike Sören Ulrike Wolfgang",
        "Albrecht Baumann Förster Grünwald Hoffmann Krüger Lindner Möller Schäfer Vogel Weiß",
    ),
    "chinese": (
        "Ai Bo Chen Fang Hui Jian Li Mei Ning Qiang Rui Wei Xin Yan Zhen",
        "Chan Chua Goh Huang Koh Lam Lim Ong Tan Teo Wang Wong Yeo Zhang 王",
    ),
    "nigerian": (
        "Adaeze Babatunde Chidi Damilola Emeka Folake Ifeoma Kunle Ngozi Obinna Sade Tunde",
        "Abiola Adeyemi Balogun Chukwu Eze Ibe Lawal Nwosu Okafor Olawale Suleiman Uche",
    ),
    "polish": (
        "Agnieszka Bartosz Ewa Grzegorz Hanna Jakub Kasia Łukasz Małgorzata Paweł Zofia",
        "Dąbrowska Kowalczyk Lewandowski Mazur Nowak Piątek Sikora Wójcik Wróbel Zając",
    ),
    "spanish": (
        "Adrián Beatriz Carmen Diego Elena Iñigo Javier Lucía Mateo Nuria Raúl Sofía",
        "Aguilar Castro Domínguez Fernández Ibáñez Moreno Navarro Ortega Peña Rojas Vidal",
    ),
}
_FIRST_NAMES = {culture: first.split() for culture, (first, _last) in _NAMES.items()}
_LAST_NAMES = {culture: last.split() for culture, (_first, last) in _NAMES.items()}

_US_AREAS = range(202, 990, 13)
_OWN_ADDRESS_SHARE = 0.75
_EMAIL_DOMAINS = ("example.com", "example.com", "example.org")
_PLAIN_LETTERS = str.maketrans({"ł": "l", "Ł": "L", "ß": "ss", "ø": "o", "'": "", " ": ""})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who enquires; `phone` is "" for who gives none."""

    first_name: str
    last_name: str
    email: str
    phone: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


class People:
    """Makes people; a phone number comes again only when all of its range were given."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._serials = itertools.count(1)
        self._phones = {key: itertools.cycle(_shuffled(rng, key)) for key in _PHONES}

    def nation(self) -> Nation:
        """A nation, the usual ones more often."""
        return self._rng.choices(NATIONS, cum_weights=_WEIGHTS)[0]

    def person(self, nation: Nation, *, with_phone: bool = True) -> Person:
        """Somebody new whose e-mail address nobody else has."""
        rng = self._rng
        culture = rng.choice(nation.names)
        first, last = rng.choice(_FIRST_NAMES[culture]), rng.choice(_LAST_NAMES[culture])
        local = ".".join(filter(None, (_ascii(first), _ascii(last)))) or "buyer"
        email = f"{local}.{next(self._serials)}@{rng.choice(_EMAIL_DOMAINS)}"
        phone = next(self._phones[rng.choice(nation.phones)]) if with_phone else ""
        return Person(first, last, email, phone)

    def address(self, *, shared: bool = True) -> str:
        """An address of a documentation range; without `shared` one that nobody else has."""
        rng = self._rng
        if not shared or rng.random() < _OWN_ADDRESS_SHARE:
            return (
                f"2001:db8:{rng.getrandbits(16):x}:{rng.getrandbits(16):x}::{rng.getrandbits(16):x}"
            )
        return f"{rng.choice(('198.51.100', '203.0.113'))}.{rng.randint(1, 254)}"


def _ascii(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.translate(_PLAIN_LETTERS))
    return decomposed.encode("ascii", "ignore").decode().lower()


def _british() -> Iterator[str]:
    yield from (f"+44 20 7946 0{number:03}" for number in range(1000))
    yield from (f"+44 7700 900{number:03}" for number in range(1000))


def _american() -> Iterator[str]:
    for area in _US_AREAS:
        yield from (f"+1 {area} 555 01{number:02}" for number in range(100))


def _emirati() -> Iterator[str]:
    yield from (f"+971 50 000 {number:04}" for number in range(10_000))


_PHONES = {"GB": _british, "US": _american, "AE": _emirati}


def _shuffled(rng: Random, key: str) -> list[str]:
    numbers = list(_PHONES[key]())
    rng.shuffle(numbers)
    return numbers
