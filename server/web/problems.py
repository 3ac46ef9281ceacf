"""Errors as RFC 9457 problem documents: the only place where a code meets an HTTP status."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import AppError, ErrorCode, RateLimitedError
from server.store.contract import BusyError, StoreError, TooBigError, UnavailableError

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5

STATUS: Mapping[ErrorCode, HTTPStatus] = {
    ErrorCode.MALFORMED: HTTPStatus.BAD_REQUEST,
    ErrorCode.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    ErrorCode.FORBIDDEN: HTTPStatus.FORBIDDEN,
    ErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.CONFLICT: HTTPStatus.CONFLICT,
    ErrorCode.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.UNSUPPORTED_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ErrorCode.TIMEOUT: HTTPStatus.REQUEST_TIMEOUT,
    ErrorCode.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}


def app_error(error: Exception) -> AppError:
    """What a caller may be told of an error; anything unforeseen is logged and told as itself."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, TooBigError):
        return AppError(ErrorCode.TOO_LARGE, "The data is larger than the store takes")
    if isinstance(error, BusyError | UnavailableError):
        logger.warning("store: %s", error)
    elif isinstance(error, StoreError):
        logger.error("store: %s", error)
    return AppError(ErrorCode.UNAVAILABLE, "The store cannot take this now, try again")


def body_of(error: AppError) -> dict[str, Any]:
    """The problem document of an error."""
    status = STATUS[error.code]
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": error.message,
        "errors": [asdict(field) for field in error.fields],
    }


def document(error: AppError) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an error."""
    status = STATUS[error.code]
    headers = {"content-type": CONTENT_TYPE, "cache-control": "no-store"}
    if error.code is ErrorCode.UNAVAILABLE:
        headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    if error.code is ErrorCode.TIMEOUT:
        headers["connection"] = "close"
    if isinstance(error, RateLimitedError):
        headers |= error.headers
    if error.code is ErrorCode.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return int(status), headers, json.dumps(body_of(error)).encode()


def response(error: Exception) -> Response:
    """The problem document as a response."""
    status, headers, body = document(app_error(error))
    return Response(body, status, headers)


async def on_error(_request: Request, error: Exception) -> Response:
    """Starlette's handler for AppError and StoreError."""
    return response(error)


def method_not_allowed(allow: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body for a method that a path does not take."""
    status = HTTPStatus.METHOD_NOT_ALLOWED
    return int(status), {"content-type": CONTENT_TYPE, "allow": allow}, _body(status, status.phrase)


async def on_http_error(_request: Request, error: Exception) -> Response:
    """Starlette's own errors (404, 405) in the same form."""
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {}) | {"content-type": CONTENT_TYPE}
    body = _body(HTTPStatus(error.status_code), error.detail)
    return Response(body, error.status_code, headers)


def _body(status: HTTPStatus, detail: str) -> bytes:
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "errors": [],
    }
    return json.dumps(body).encode()


async def on_crash(_request: Request, error: Exception) -> Response:
    """The last resort: a bug, logged with its trace."""
    logger.error("unexpected error", exc_info=error)
    body = {"type": "about:blank", "title": "Internal Server Error", "status": 500, "errors": []}
    return Response(json.dumps(body), 500, {"content-type": CONTENT_TYPE})
