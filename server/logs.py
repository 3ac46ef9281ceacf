"""Structured logs: one JSON object a line, with secrets and personal data redacted."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

_EMAIL = re.compile(r"[^\s@<>\"'(]+(?:@|%40)[^\s@<>\"',)]+\.[^\W\d_]{2,}")
_NO_PHONE = r"(?!\d{1,3}(?:\.\d{1,3}){3}(?![\d.])|\d{4}-\d\d-\d\d(?!\d)|(?:0|[1-9]\d{0,5})\.\d{5,})"
_NUMBER = re.compile(
    rf"(?<![\w.-])\+?{_NO_PHONE}\d+(?:[ ().-]{{1,3}}{_NO_PHONE}\d+)*(?![\w:-])", re.ASCII
)
"""What a phone number may look like, digits in groups; no IPv4 address, date or fraction."""

MIN_PHONE_DIGITS = 8
_KEY = re.compile(r"\b(?:pg|whsec)_[A-Za-z0-9+/=_-]{16,}")


def _hide_phone(number: re.Match[str]) -> str:
    digits = sum(character.isdigit() for character in number[0])
    return "[phone]" if digits >= MIN_PHONE_DIGITS else number[0]


class Redactor:
    """Takes e-mail addresses, phone numbers, keys and the given secrets out of a text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(sorted(filter(None, secrets), key=len, reverse=True))

    def redact(self, text: str) -> str:
        """The text as it may be logged."""
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        text = _KEY.sub("[secret]", _EMAIL.sub("[email]", text))
        return _NUMBER.sub(_hide_phone, text)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message and, when there is one, the trace."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redactor.redact(record.getMessage()),
        }
        if record.exc_info:
            entry["trace"] = self._redactor.redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def configure(level: str, secrets: Iterable[str]) -> None:
    """Send every log of the process to standard error in this form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(Redactor(secrets)))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # The first two log addresses, and headers as they come; the last one each step of its start.
    for name in ("httpx", "httpcore", "httpx2", "httpcore2", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
