"""Request bodies: read under a limit and a deadline, decoded from JSON and HTML forms."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncGenerator
from encodings.aliases import aliases
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Receive

from server.domain.errors import AppError, ErrorCode, FieldError, invalid_field
from server.domain.lead_fields import MAX_FIELDS, check_nesting
from server.domain.payload import clean_text

MAX_BODY_BYTES = 64 * 1024
DRAIN_BYTES = 4 * 1024 * 1024
"""How much of a body that is too large is still read, so that its sender hears why."""

BODY_SECONDS = 10.0
_NOT_ASCII = re.compile(rb"[\x80-\xff]")

_CHARSETS = frozenset({*aliases, *aliases.values(), "koi8_u"})
"""Python's table of charsets. It looks names beyond it up on disk and remembers each for good, and
some of those decode in a time that grows with the square of the length (punycode)."""


async def read(receive: Receive, content_length: str, limit: int = MAX_BODY_BYTES) -> bytes:
    """The whole body. Raises AppError: too_large over `limit` bytes, timeout after 10 s."""
    if content_length.isdigit() and int(content_length) > DRAIN_BYTES:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(receive, limit)
    except TimeoutError:
        raise AppError(ErrorCode.TIMEOUT, "The body did not arrive in time") from None


async def _read(receive: Receive, limit: int) -> bytes:
    body, size, more = b"", 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _malformed("was cut off")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            body += chunk
        elif size > DRAIN_BYTES:
            break
        more = message.get("more_body", False)
    if size > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> AppError:
    message = f"is larger than {limit} bytes"
    return AppError(ErrorCode.TOO_LARGE, f"The body {message}", FieldError("body", message))


async def decode(body: bytes, headers: Headers) -> dict[str, Any]:
    """The fields of a JSON object or an HTML form; raises AppError.

    A name that comes several times in a form holds a list; an uploaded file its name.
    """
    content_type = headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        _charset(content_type)
        pairs = await _multipart(body, headers)
    elif kind == "application/x-www-form-urlencoded" or (not kind and body[:1] != b"{"):
        pairs = _urlencoded(body, _charset(content_type))
    elif kind in ("application/json", "text/plain", "text/json", "") or kind.endswith("+json"):
        return json_object(body)
    else:
        raise _unsupported(f"a lead cannot be sent as {kind}")
    return _collect(pairs)


def json_object(body: bytes) -> dict[str, Any]:
    """The fields of a JSON object; raises AppError."""
    return clean_object(json_value(body))


def is_form(headers: Headers) -> bool:
    """Whether a request is encoded as an HTML form posts it."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("multipart/form-data", "application/x-www-form-urlencoded")


def _charset(content_type: str) -> str:
    """The charset of a form; raises AppError (unsupported_type) for one that is unknown."""
    _kind, options = parse_options_header(content_type)
    charset = options.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower().replace("-", "_") not in _CHARSETS:
        raise _unsupported(f"the charset {charset[:40]} is unknown")
    return charset


def _urlencoded(body: bytes, charset: str) -> list[tuple[str, Any]]:
    try:
        text = _NOT_ASCII.sub(lambda byte: b"%%%02X" % ord(byte[0]), body).decode("ascii")
        return list(
            parse_qsl(
                text,
                keep_blank_values=True,
                encoding=charset,
                errors="replace",
                max_num_fields=MAX_FIELDS,
            )
        )
    except (LookupError, UnicodeError):
        raise _unsupported(f"the charset {charset} is unknown") from None
    except ValueError:
        raise invalid_field("body", f"has more than {MAX_FIELDS} fields") from None


class _WholeMultiPart(MultiPartParser):
    """Tells whether the closing boundary came: without it the last field may be cut."""

    ended = False

    def on_end(self) -> None:
        """The closing boundary."""
        self.ended = True


async def _multipart(body: bytes, headers: Headers) -> list[tuple[str, Any]]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = _WholeMultiPart(
        headers, stream(), max_files=20, max_fields=MAX_FIELDS, max_part_size=MAX_BODY_BYTES
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeError, LookupError) as error:
        reason = getattr(error, "message", None) or "cannot be read"
        if reason.startswith("Too many"):
            raise invalid_field("body", reason) from None
        raise _malformed(f"is no multipart/form-data: {reason}") from None
    if not parser.ended:
        await form.close()
        raise _malformed("is no multipart/form-data: it was cut off")
    pairs: list[tuple[str, Any]] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            pairs.append((name, value.filename or ""))
            await value.close()
        else:
            pairs.append((name, value))
    return pairs


def _collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        key, text = clean_text(name), clean_text(value)
        if key not in fields:
            fields[key] = text
        elif isinstance(fields[key], list):
            fields[key].append(text)
        else:
            fields[key] = [fields[key], text]
    return fields


def json_value(body: bytes) -> Any:
    """Any JSON value, not cleaned yet; raises AppError."""
    try:
        return json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise invalid_field("body", "is nested too deep") from None
    except UnicodeDecodeError:
        raise _malformed("is no UTF-8") from None
    except ValueError as error:
        raise _malformed(f"is no JSON: {error}") from None


def _unsupported(message: str) -> AppError:
    field = FieldError("Content-Type", message)
    return AppError(ErrorCode.UNSUPPORTED_TYPE, f"Content-Type: {message}", field)


def _malformed(message: str) -> AppError:
    return AppError(ErrorCode.MALFORMED, f"The body {message}", FieldError("body", message))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def clean_object(value: Any) -> dict[str, Any]:
    """A JSON object without what no store takes; raises AppError for anything else."""
    if not isinstance(value, dict):
        raise invalid_field("body", "must be a JSON object")
    check_nesting(value)
    return {clean_text(name): _clean(item) for name, item in value.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(name): _clean(item) for name, item in value.items()}
    return value
