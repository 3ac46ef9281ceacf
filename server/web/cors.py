"""CORS for the public endpoints: exact origins of the sites, never credentials."""

from __future__ import annotations

from server.usecases.site_directory import Owner, SiteDirectory
from server.web.peers import RawHeaders, header_text

EXPOSED = "X-Propgauge-Dropped, Idempotent-Replayed, Retry-After, RateLimit, RateLimit-Policy"
ALLOWED_HEADERS = "content-type, idempotency-key"
MAX_AGE_SECONDS = 600


def is_same_origin(headers: RawHeaders, origin: str) -> bool:
    """Whether the page came from this very server."""
    return origin.partition("://")[2] == header_text(headers, b"host")


def is_listed(directory: SiteDirectory, owner: Owner, headers: RawHeaders, origin: str) -> bool:
    """Whether an origin may post for an owner: it is on the site's list, or this server's own."""
    return directory.lists(owner, origin) or is_same_origin(headers, origin)


def headers(directory: SiteDirectory, owner: Owner, raw: RawHeaders) -> dict[str, str]:
    """What lets a listed origin's script read the answer; empty for others."""
    origin = header_text(raw, b"origin")
    if not origin or not is_listed(directory, owner, raw, origin):
        return {}
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": EXPOSED,
        "vary": "Origin",
    }


def preflight(
    directory: SiteDirectory, raw: RawHeaders, methods: str
) -> tuple[int, dict[str, str], bytes]:
    """The answer to OPTIONS; the body that names the site is not there yet."""
    origin = header_text(raw, b"origin")
    if not directory.lists_anywhere(origin):
        return 204, {"vary": "Origin"}, b""
    return (
        204,
        {
            "access-control-allow-origin": origin,
            "access-control-allow-methods": methods,
            "access-control-allow-headers": ALLOWED_HEADERS,
            "access-control-max-age": str(MAX_AGE_SECONDS),
            "vary": "Origin",
        },
        b"",
    )
