"""Forms of the dashboard: read under a limit, each field with all its values."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import parse_qs

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from server.domain.errors import AppError, ErrorCode, invalid_field
from server.domain.payload import clean_text
from server.web import bodies
from server.web.dashboard.call import Form

MAX_FORM_BYTES = 2 * 1024 * 1024
"""Room for an uploaded table; single fields have limits of their own."""

MAX_FORM_FIELDS = 500


async def read_form(request: Request) -> Form:
    """The fields of a urlencoded or multipart form, files as text; raises AppError."""
    length = request.headers.get("content-length", "")
    body = await bodies.read(request.receive, length, MAX_FORM_BYTES)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _multipart(request, body)
    if kind == "application/x-www-form-urlencoded":
        return _urlencoded(body)
    if body:
        raise AppError(ErrorCode.UNSUPPORTED_TYPE, "The dashboard takes HTML forms only")
    return {}


def _urlencoded(body: bytes) -> Form:
    try:
        fields = parse_qs(
            body.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS
        )
    except ValueError:
        raise invalid_field("body", f"has more than {MAX_FORM_FIELDS} fields") from None
    return {clean_text(name): list(map(clean_text, values)) for name, values in fields.items()}


async def _multipart(request: Request, body: bytes) -> Form:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(request.headers, stream(), max_files=1, max_fields=MAX_FORM_FIELDS)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeError, LookupError):
        raise AppError(ErrorCode.MALFORMED, "The form cannot be read") from None
    fields: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        text = value if isinstance(value, str) else await _text_of(value)
        fields.setdefault(clean_text(name), []).append(clean_text(text))
    await form.close()
    return fields


async def _text_of(file: UploadFile) -> str:
    return (await file.read()).decode("utf-8-sig", "replace")
