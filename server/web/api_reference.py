"""Every public endpoint, as documented: one entry an operation."""

from __future__ import annotations

from server.domain.engagement import NOT_AVAILABLE_ACTION
from server.domain.visitor import DropReason
from server.usecases.capture_lead import MAX_IDEMPOTENCY_KEY_CHARS
from server.web import lead, lead_patch, leads, leadscoring_reference, track
from server.web.lead_patch import LeadPatch
from server.web.lead_query import DEFAULT_LIMIT, MAX_LIMIT
from server.web.openapi import Answer, Content, Operation, Parameter, Security, problem
from server.web.schemas import (
    BatchAnswer,
    Beacons,
    LeadAnswer,
    LeadFields,
    LeadList,
    LeadPage,
    Readiness,
    ScoredDraft,
    WorkedLead,
)

TRACKING, LEADS, SCRIPTS, OPERATIONS = "Tracking", "Leads", "Scripts", "Operations"

TAGS = {
    TRACKING: "What tracker.js sends.",
    LEADS: "Enquiries from forms and partners.",
    leadscoring_reference.SCORING: leadscoring_reference.DESCRIPTION,
    SCRIPTS: "What a site's pages load. Any site may, and keep it as long as Cache-Control says.",
    OPERATIONS: "For those who run the server.",
}

INTRODUCTION = (
    "propgauge tracks visitors on property sites, takes leads, scores and forwards them."
    " Every error is a problem document (RFC 9457) that names each field at fault."
    " Bodies may have up to 64 KiB. An API key goes into `Authorization: Bearer pg_…`."
)

_RETRY = {"Retry-After": "Seconds to wait before sending the same again."}
_LIMITS = {
    "RateLimit-Policy": "What is counted: requests a minute, where a limit is set.",
    "RateLimit": "What is left of it, and the seconds until it is full again.",
}
_CORS = {
    "Access-Control-Allow-Origin": "The page's origin, if it is on the list of a site.",
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "What a script may send.",
    "Access-Control-Max-Age": "Seconds for which the browser may keep this answer.",
}
_PREFLIGHT = Answer(204, "Which origins' scripts may post.", headers=_CORS)
_METHOD = problem(405, "Another method.", headers={"Allow": "The methods that there are."})
_BUSY = problem(503, "Nothing was stored: send it again.", headers=_RETRY)

_LIMITED = problem(429, "Too many requests a minute; nothing was stored.", headers=_RETRY | _LIMITS)
_NO_KEY = problem(401, "The key is missing or not known.", headers={"WWW-Authenticate": "Bearer"})

_BODY_PROBLEMS = (
    problem(400, "The body cannot be read."),
    problem(408, "The body did not arrive within 10 s."),
    problem(413, "The body is over 64 KiB."),
)

_BEACON = {
    "v": 1,
    "site": "marina",
    "visitor_id": "visitor-1",
    "session_id": "session-1",
    "page_view_id": "page-1",
    "seq": 0,
    "type": "view",
    "url": "https://www.example.com/residences",
    "duration_ms": 0,
    "scroll_percent": 0,
    "clicks": 0,
}
_LEAD = {
    "SOURCE": "Facebook",
    "name": "Ana Example",
    "email": "ana@example.com",
    "phone": "+44 20 7946 0123",
    "project": "Saffron Quay",
    "budget": "1m",
}
_FORM = {"name": "Ana Example", "email": "ana@example.com", "_redirect": "/thank-you/"}
_SCORES = {
    "engagement_score": 0,
    "engagement_label": "Cold",
    "engagement_available": False,
    "recommended_action": NOT_AVAILABLE_ACTION,
    "suspicion_score": 15,
    "suspicion_label": "Low",
    "suspicion_reasons": ["No tracked visit belongs to this lead"],
}

_SEND_BEACON = """\
curl -i $URL/api/track -H 'Content-Type: application/json' \\
  -d '{"site": "marina", "visitor_id": "visitor-1", "session_id": "session-1",
       "page_view_id": "page-1", "type": "view", "url": "https://www.example.com/"}'"""

_SEND_JSON = """\
curl $URL/api/lead -H 'Content-Type: application/json' \\
  -d '{"SOURCE": "Facebook", "name": "Ana Example", "email": "ana@example.com"}'"""

_SEND_WITH_KEY = """\
curl $URL/api/lead -H 'Authorization: Bearer pg_…' \\
  -H 'Idempotency-Key: facebook-1234567890' \\
  --data-urlencode 'SOURCE=WhatsApp' --data-urlencode 'phone=+44 20 7946 0123'"""

_DRY_RUN = """\
curl '$URL/api/lead?dry_run=1' -H 'Authorization: Bearer pg_…' \\
  -F 'name=Ana Example' -F 'email=ana@example.com'"""

_SEND_BATCH = """\
curl $URL/api/leads -H 'Authorization: Bearer pg_…' -H 'Content-Type: application/json' \\
  -d '[{"SOURCE": "Facebook", "email": "ana@example.com"},
       {"SOURCE": "WhatsApp", "phone": "+44 20 7946 0123"}]'"""

_LIST_HOT = """\
curl '$URL/api/leads?engagement_label=Hot&limit=20' -H 'Authorization: Bearer pg_…'"""

_DRY = Parameter(
    "dry_run",
    "query",
    "`1` validates and scores without storing; needs a key.",
    {"type": "string", "enum": ["0", "1"]},
)
_ONCE = Parameter(
    "Idempotency-Key",
    "header",
    "The same key and body again answer with the lead already stored, for 7 days.",
    {"type": "string", "maxLength": MAX_IDEMPOTENCY_KEY_CHARS},
)
_FILTERS = {
    "created_since": "Time such as `2026-11-22T10:00:00Z`, or a date.",
    "created_before": "Time or date.",
    "updated_since": "Time or date.",
    "engagement_label": "Cold, Warm, Hot or Very Hot; leads without a tracked visit have none.",
    "min_engagement_score": "0 to 100.",
    "tracked": "Whether a tracked visit belongs to the lead: true or false.",
    "suspicion_label": "Low, Medium or High.",
    "max_suspicion_score": "0 to 100.",
    "lead_source": "Such as Facebook.",
    "channel": "form, api or typeform.",
    "project": "The property.",
    "email": "The whole address.",
    "phone": "In international form, or as given.",
    "visitor_id": "The browser's.",
    "limit": f"Leads a page, 1 to {MAX_LIMIT}; {DEFAULT_LIMIT} when absent.",
    "cursor": "`next_cursor` of the page before.",
}

_SCRIPT_HEADERS = {
    "ETag": "Changes with the text.",
    "Cache-Control": "How long the text may be kept.",
    "Content-Encoding": "br or gzip, as the browser takes it.",
}
_UNCHANGED = Answer(304, "The browser has it.", headers={"ETag": "As it was."})
_KNOWN = Parameter("If-None-Match", "header", "ETag of the text at hand.")
_HASH = Parameter(
    "hash",
    "path",
    "First 16 hex digits of the SHA-256 of the text.",
    {"type": "string", "pattern": "^[0-9a-f]{16}$"},
)


def _script(name: str, what: str) -> tuple[Operation, Operation]:
    text = (Content("text/javascript"),)
    plain = Operation(
        "GET",
        f"/{name}.js",
        SCRIPTS,
        what,
        (Answer(200, "The script, minified.", text, _SCRIPT_HEADERS), _UNCHANGED),
        "Kept for an hour. The setting of an alias serves it under a further name.",
        (_KNOWN,),
        examples=(f"curl $URL/{name}.js",),
    )
    hashed = Operation(
        "GET",
        f"/{name}-{{hash}}.js",
        SCRIPTS,
        f"{what}, one build for good",
        (
            Answer(200, "The script of that hash, minified.", text, _SCRIPT_HEADERS),
            _UNCHANGED,
            problem(404, "No server on this database ever made it."),
            _BUSY,
        ),
        "Kept for a year. For pages with `integrity`; `propgauge site show` prints the tags.",
        (_HASH, _KNOWN),
    )
    return plain, hashed


PUBLIC: tuple[Operation, ...] = (
    Operation(
        "POST",
        track.PATH,
        TRACKING,
        "Record beacons",
        (
            Answer(
                202,
                "Committed.",
                headers={
                    "X-Propgauge-Dropped": "Beacons that left no trace, by reason: "
                    + ", ".join(f"`{reason}=1`" for reason in DropReason)
                },
            ),
            *_BODY_PROBLEMS,
            _METHOD,
            problem(422, "A field is missing or cannot be read; nothing was stored."),
            _BUSY,
        ),
        "JSON whatever its Content-Type; tracker.js says text/plain, which spares the browser a"
        " preflight. What is sent twice within 100 ms counts once.",
        body=(
            Content("application/json", Beacons, _BEACON),
            Content("text/plain", Beacons),
        ),
        examples=(_SEND_BEACON,),
    ),
    Operation(
        "OPTIONS",
        track.PATH,
        TRACKING,
        "Preflight of beacons",
        (_PREFLIGHT,),
    ),
    Operation(
        "POST",
        lead.PATH,
        LEADS,
        "Store a lead",
        (
            Answer(
                201,
                "Stored; its webhook is on the way.",
                (
                    Content(
                        "application/json",
                        LeadAnswer,
                        {"ok": True, "lead_id": "lead_019af0d3a5c0123456789abcdef01"},
                    ),
                ),
                {"Idempotent-Replayed": "`true` when this lead had been stored before."} | _LIMITS,
            ),
            Answer(
                200,
                "Scored, with `dry_run=1`.",
                (
                    Content(
                        "application/json",
                        ScoredDraft,
                        {"ok": True, "dry_run": True} | _SCORES,
                    ),
                ),
            ),
            Answer(
                303,
                "Stored: a browser's plain form goes on to `_redirect`, or to a thank-you page.",
                headers={"Location": "Where to."},
            ),
            *_BODY_PROBLEMS,
            problem(
                401,
                "The key is not known, or a dry run came without one.",
                headers={"WWW-Authenticate": "Bearer"},
            ),
            problem(403, "The key may only read."),
            _METHOD,
            problem(415, "Neither JSON nor a form, or an unknown charset."),
            problem(
                422,
                "No e-mail address or phone number, over a limit, or an Idempotency-Key that"
                " came with another body.",
            ),
            _LIMITED,
            _BUSY,
        ),
        "Scored and forwarded to the webhook of the client: of the key, else of `__site`, else of"
        " the site that lists the page's origin. With a key the answer holds the scores. A"
        " browser's plain form is told of errors by a page instead of a problem document.",
        (_DRY, _ONCE),
        (
            Content("application/json", LeadFields, _LEAD),
            Content("application/x-www-form-urlencoded", LeadFields, _FORM),
            Content("multipart/form-data", LeadFields, _FORM),
        ),
        Security.OPTIONAL,
        (_SEND_JSON, _SEND_WITH_KEY, _DRY_RUN),
    ),
    Operation(
        "OPTIONS",
        lead.PATH,
        LEADS,
        "Preflight of a lead",
        (_PREFLIGHT,),
    ),
    Operation(
        "POST",
        leads.PATH,
        LEADS,
        "Store up to 100 leads",
        (
            Answer(
                207,
                "Each lead by itself: one that is refused does not hold up the others.",
                (Content("application/json", BatchAnswer),),
                _LIMITS,
            ),
            *_BODY_PROBLEMS,
            _NO_KEY,
            problem(403, "The key may only read."),
            problem(422, "No array of 1 to 100 leads."),
            _LIMITED,
            _BUSY,
        ),
        "Bodies may have up to 1 MiB. Each lead counts against the limit of the key.",
        (_DRY, _ONCE),
        (Content("application/json", LeadList, [_LEAD]),),
        Security.REQUIRED,
        (_SEND_BATCH,),
    ),
    Operation(
        "GET",
        leads.PATH,
        LEADS,
        "List leads",
        (
            Answer(
                200,
                "One page of the leads of the key's client.",
                (Content("application/json", LeadPage),),
                _LIMITS,
            ),
            _NO_KEY,
            problem(403, "The key may not read leads."),
            problem(422, "A parameter is not known or cannot be read."),
            _LIMITED,
            _BUSY,
        ),
        "Newest first; with `updated_since` the oldest change first. All filters must hold.",
        tuple(Parameter(name, "query", text) for name, text in _FILTERS.items()),
        security=Security.REQUIRED,
        examples=(_LIST_HOT,),
    ),
    Operation(
        "PATCH",
        lead_patch.PATH,
        LEADS,
        "Tell what became of a lead",
        (
            Answer(
                200,
                "As it stands now; every change is kept with its time.",
                (Content("application/json", WorkedLead),),
                _LIMITS,
            ),
            *_BODY_PROBLEMS,
            _NO_KEY,
            problem(403, "The key may only read."),
            problem(404, "The key's client has no such lead."),
            problem(409, "Others changed the lead again and again meanwhile; nothing was stored."),
            problem(422, "A field is not known or cannot be taken; nothing was stored."),
            _LIMITED,
            _BUSY,
        ),
        "What is left out stays as it is. The dashboard shows the name of the key beside it.",
        (Parameter("lead_id", "path", "As it was answered with.", required=True),),
        (Content("application/json", LeadPatch, {"status": "won", "note": "Reserved 12B"}),),
        Security.REQUIRED,
    ),
    *leadscoring_reference.OPERATIONS,
    *_script("tracker", "The tracker"),
    *_script("form", "The form script"),
    Operation(
        "GET",
        "/healthz",
        OPERATIONS,
        "Whether the process answers",
        (Answer(200, "It does.", (Content("text/plain", example="ok\n"),)),),
        examples=("curl $URL/healthz",),
    ),
    Operation(
        "GET",
        "/readyz",
        OPERATIONS,
        "Whether the store takes writes",
        (
            Answer(200, "It does.", (Content("application/json", Readiness, {"ready": True}),)),
            Answer(503, "It does not.", (Content("application/json", Readiness),), _RETRY),
        ),
        examples=("curl $URL/readyz",),
    ),
    Operation(
        "GET",
        "/metrics",
        OPERATIONS,
        "Counters, for Prometheus",
        (Answer(200, "In Prometheus' text form.", (Content("text/plain"),)), _BUSY),
        examples=("curl $URL/metrics",),
    ),
    Operation(
        "GET",
        "/openapi.json",
        OPERATIONS,
        "This reference, for programs",
        (Answer(200, "OpenAPI 3.1.", (Content("application/json"),)),),
        examples=("curl $URL/openapi.json",),
    ),
    Operation(
        "GET",
        "/docs",
        OPERATIONS,
        "This reference, for people",
        (Answer(200, "One page without scripts.", (Content("text/html"),)),),
    ),
)
