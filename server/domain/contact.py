"""Phone numbers and e-mail addresses as people type them. Nothing here ever raises."""

from __future__ import annotations

import re
from dataclasses import dataclass

import phonenumbers
from disposable_email_domains import blocklist
from email_validator import EmailNotValidError, validate_email

_DIGITS = re.compile(r"\D")
MIN_DIGITS, MAX_DIGITS = 7, 15
"""Length of a number without a known country (E.164 allows 15 at most)."""

_WORLD = "001"
"""The region of numbers that belong to no country (+800, satellites)."""

ROLE_ACCOUNTS = frozenset(
    [
        "abuse",
        "accounts",
        "admin",
        "administrator",
        "billing",
        "contact",
        "enquiries",
        "enquiry",
        "hello",
        "help",
        "hostmaster",
        "hr",
        "info",
        "inquiries",
        "jobs",
        "mail",
        "marketing",
        "media",
        "no-reply",
        "noreply",
        "office",
        "orders",
        "postmaster",
        "press",
        "root",
        "sales",
        "security",
        "service",
        "spam",
        "support",
        "team",
        "webmaster",
    ]
)


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone as far as it could be understood; `e164` is "" rather than a guess."""

    e164: str
    possible: bool
    countries: tuple[str, ...]


def parse_phone(text: str, default_region: str | None) -> Phone:
    """Read a number; one without a country code needs the client's default region.

    An unknown region is none; without one, 00 stands for the plus (ITU-T E.123), as almost
    everywhere. A number without its area code is possible, and no more.
    """
    region = _known_region(default_region)
    if region is None and text.lstrip().startswith("00"):
        abroad = parse_phone("+" + text.lstrip()[2:], None)
        if abroad.e164:
            return abroad
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        digits = _DIGITS.sub("", text)
        undecided = region is None and not text.strip().startswith("+")
        return Phone("", undecided and MIN_DIGITS <= len(digits) <= MAX_DIGITS, ())
    verdict = phonenumbers.is_possible_number_with_reason(number)
    if verdict != phonenumbers.ValidationResult.IS_POSSIBLE:
        is_local = verdict == phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY
        return Phone("", possible=is_local, countries=())
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    regions = phonenumbers.region_codes_for_country_code(number.country_code or 0)
    countries = tuple(code for code in regions if code != _WORLD)
    return Phone(e164, possible=True, countries=countries)


def is_region(code: str) -> bool:
    """Whether phone numbers are known of a country (ISO 3166, upper case: GB, not UK)."""
    return code in phonenumbers.SUPPORTED_REGIONS


def _known_region(region: str | None) -> str | None:
    upper = (region or "").upper()
    return upper if is_region(upper) else None


@dataclass(frozen=True, slots=True)
class Email:
    """What an address tells about itself; the domain is lower-case, "" when invalid."""

    valid: bool
    domain: str
    disposable: bool
    role_account: bool


def parse_email(text: str) -> Email:
    """Check syntax and domain form (no DNS), disposable domains and role accounts."""
    try:
        address = validate_email(text.strip(), check_deliverability=False)
    except EmailNotValidError:
        return Email(valid=False, domain="", disposable=False, role_account=False)
    domain = address.ascii_domain.lower() if address.ascii_domain else ""
    return Email(
        valid=True,
        domain=domain,
        disposable=_is_disposable(domain),
        role_account=address.local_part.lower().split("+")[0] in ROLE_ACCOUNTS,
    )


def _is_disposable(domain: str) -> bool:
    labels = domain.split(".")
    return any(".".join(labels[start:]) in blocklist for start in range(len(labels) - 1))
