"""Meta's Conversions API: a stored event as one request, and its answer judged.

The wire format and the table of errors are those of facts/meta-conversions-api.md.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from server.destinations.egress import (
    Answer,
    Egress,
    EgressError,
)
from server.destinations.meta_user_data import user_data_of
from server.destinations.sending import outcome_of, pause
from server.domain.attribution import without_query
from server.domain.conversion import ActionSource, ConversionEvent, is_too_old, seconds_early
from server.domain.delivery import (
    Delivery,
    EventLogEntry,
    Outcome,
    Verdict,
    verdict_of_status,
)
from server.domain.ids import ClientId
from server.domain.redaction import without_secrets

NAME = "meta_capi"

GRAPH_URL = "https://graph.facebook.com/v26.0"
"""Version of 2026-07-29; Meta ends a version about two years after the next one."""

MAX_RESPONSE_CHARS = 4_000

_LIMITED_DATA_USE: Mapping[str, object] = {
    "data_processing_options": ["LDU"],
    "data_processing_options_country": 0,
    "data_processing_options_state": 0,
}
"""With country and state 0 Meta finds out itself where the person is."""

INVALID_PARAMETER = 100
NO_SUCH_PIXEL = 33
MALFORMED_CLICK_ID = 2804001

TOKEN_CODES = frozenset({102, 190})
PERMISSION_CODES = frozenset({3, 10, *range(200, 300)})
TRANSIENT_CODES = frozenset({1, 2, 4, 17, 341, 613, 5_000, 21_009, 80_003})
PERMANENT_SUBCODES: Mapping[int, str] = {
    MALFORMED_CLICK_ID: "its click id is malformed",
    2804003: "it is too old",
    2804009: "a parameter is wrong",
    2804050: "it says too little about the person",
}

_PIXEL_ID = re.compile(r"[0-9]+")
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class MetaTarget:
    """A client's pixel. Events with a `test_event_code` count for measurement all the same."""

    pixel_id: str
    token: str = field(repr=False)
    graph_url: str = GRAPH_URL
    test_event_code: str = ""
    limited_data_use: bool = False
    app_secret: str = field(default="", repr=False)

    @property
    def proof(self) -> str:
        """Shows that the token is used by its app; "" without the app's secret."""
        if not self.app_secret:
            return ""
        return hmac.new(self.app_secret.encode(), self.token.encode(), hashlib.sha256).hexdigest()


def body_of(event: ConversionEvent) -> str:
    """The event as compact JSON, hashed but for what Meta wants in clear, to be stored and sent."""
    url = event.event_source_url
    fields: dict[str, object] = {
        "event_name": event.event_name,
        "event_time": int(event.event_time.timestamp()),
        "event_id": event.event_id,
        "action_source": event.action_source.value,
        # Mailings and forms put e-mail addresses into queries.
        "event_source_url": without_query(url) if url.startswith(("https://", "http://")) else "",
        "user_data": user_data_of(event.user),
    }
    return _json({key: value for key, value in fields.items() if value != ""})


class MetaCapi:
    """Sends each client's conversion events to the pixel that `targets` names for it."""

    name = NAME

    def __init__(self, egress: Egress, targets: Callable[[ClientId], MetaTarget | None]) -> None:
        self._egress = egress
        self._targets = targets

    async def send(self, delivery: Delivery, now: datetime) -> Outcome:
        """Post the stored event once and judge the answer; raises nothing but CancelledError.

        What is wrong with token, permission or pixel pauses the client's events, what is wrong
        with this event fails it. One whose click id Meta finds malformed goes again without it.
        """
        return await outcome_of(self._send(delivery, now))

    async def _send(self, delivery: Delivery, now: datetime) -> Outcome:
        target = self._targets(delivery.client_id)
        if target is None or not (target.pixel_id and target.token):
            return pause("no pixel id and access token are configured for this client")
        if problem := _problem_of(target):
            return pause(problem)
        event: dict[str, Any] = json.loads(delivery.payload)
        untimely = _untimely(event, now)
        return untimely or await self._send_event(target, event)

    async def _send_event(self, target: MetaTarget, event: dict[str, Any]) -> Outcome:
        outcome, malformed_click_id = await self._post(target, event)
        if malformed_click_id and event["user_data"].pop("fbc", None):
            later, _again = await self._post(target, event)
            return replace(later, log=outcome.log + later.log)
        return outcome

    async def _post(self, target: MetaTarget, event: Mapping[str, Any]) -> tuple[Outcome, bool]:
        """Post once; how it ended, and whether Meta found the click id malformed."""
        body = _request_body(target, event)
        entry = EventLogEntry(event["event_id"], event["event_name"], body)
        try:
            answer = await self._egress.post(
                _url(target), headers=_headers(target), content=body.encode()
            )
        except EgressError as error:
            return Outcome(Verdict.RETRY, error=str(error), log=(entry,)), False
        reply = _reply(answer, target)
        outcome = _judged(reply)
        if outcome.verdict is Verdict.DELIVERED:
            outcome = replace(outcome, error=_gaps(event))
        entry = replace(
            entry,
            response_status=reply.status,
            response_body=reply.text,
            trace_id=reply.trace_id,
        )
        return replace(outcome, log=(entry,)), _is_invalid(reply.error, MALFORMED_CLICK_ID)


def _problem_of(target: MetaTarget) -> str:
    """Why nothing can be sent to a target, or ""."""
    if not _PIXEL_ID.fullmatch(target.pixel_id):
        return "the pixel id is not a number"
    if not _TOKEN.fullmatch(target.token):
        return "the access token holds characters that no token has"
    return ""


def _untimely(event: Mapping[str, Any], now: datetime) -> Outcome | None:
    """What becomes of an event that Meta would refuse for its time."""
    event_time = datetime.fromtimestamp(event["event_time"], UTC)
    if is_too_old(event_time, event["action_source"], now):
        return Outcome(Verdict.FAIL, error="the event is too old for Meta; it was not sent")
    early = seconds_early(event_time, now)
    if early:
        error = "the event is of the future; it was not sent yet"
        return Outcome(Verdict.RETRY, error=error, retry_after_seconds=early)
    return None


def _request_body(target: MetaTarget, event: Mapping[str, Any]) -> str:
    options = _LIMITED_DATA_USE if target.limited_data_use else {}
    code = {"test_event_code": target.test_event_code} if target.test_event_code else {}
    return _json({"data": [{**event, **options}], **code})


def _url(target: MetaTarget) -> str:
    """The address; Meta's documentation has the proof in the query, where no log keeps it."""
    query = f"?appsecret_proof={target.proof}" if target.proof else ""
    return f"{target.graph_url.rstrip('/')}/{target.pixel_id}/events{query}"


def _headers(target: MetaTarget) -> dict[str, str]:
    return {
        "authorization": f"Bearer {target.token}",
        "content-type": "application/json",
        "user-agent": "propgauge",
    }


@dataclass(frozen=True, slots=True)
class _GraphError:
    """The `error` of an answer; numbers it does not hold are 0."""

    code: int
    subcode: int
    is_transient: bool

    def __str__(self) -> str:
        return f"error {self.code}/{self.subcode}" if self.subcode else f"error {self.code}"


@dataclass(frozen=True, slots=True)
class _Reply:
    """An answer as far as it could be read; `text` is an excerpt without secrets."""

    status: int
    text: str
    retry_after_seconds: float | None
    is_json: bool
    error: _GraphError | None
    events_received: int
    trace_id: str


def _reply(answer: Answer, target: MetaTarget) -> _Reply:
    fields = _fields(answer.body)
    error = (fields or {}).get("error")
    error = error if isinstance(error, dict) else None
    wait = answer.headers.get("retry-after", "")
    # Meta's errors may quote the token.
    text = without_secrets(answer.body.decode("utf-8", "replace"), (target.token, target.proof))
    return _Reply(
        answer.status,
        text[:MAX_RESPONSE_CHARS],
        retry_after_seconds=float(wait) if wait.isascii() and wait.isdigit() else None,
        is_json=fields is not None,
        error=None if error is None else _graph_error(error),
        events_received=_number(fields or {}, "events_received"),
        trace_id=str((error or fields or {}).get("fbtrace_id") or ""),
    )


def _fields(body: bytes) -> Mapping[str, Any] | None:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _graph_error(error: Mapping[str, Any]) -> _GraphError:
    return _GraphError(
        _number(error, "code"),
        _number(error, "error_subcode"),
        is_transient=error.get("is_transient") is True,
    )


def _number(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    return value if type(value) is int else 0


def _judged(reply: _Reply) -> Outcome:
    verdict, error = _verdict(reply)
    return Outcome(verdict, reply.status, error, reply.text, reply.retry_after_seconds)


def _verdict(reply: _Reply) -> tuple[Verdict, str]:
    """What the answer means, and why in our words: Meta's own might hold what no log may."""
    if not reply.is_json:
        return Verdict.RETRY, f"Meta answered {reply.status} and no JSON object"
    if reply.error is not None:
        return _verdict_of_error(reply.error, reply.status)
    verdict = verdict_of_status(reply.status)
    if verdict is not Verdict.DELIVERED:
        return verdict, f"Meta answered {reply.status}"
    if reply.events_received < 1:
        return Verdict.FAIL, f"Meta answered {reply.status}, but took no event"
    return verdict, ""


def _verdict_of_error(error: _GraphError, status: int) -> tuple[Verdict, str]:
    if error.is_transient or error.code in TRANSIENT_CODES or status >= 500:
        return Verdict.RETRY, f"Meta cannot take the event now ({error})"
    if error.code in TOKEN_CODES:
        return Verdict.PAUSE, f"Meta refuses the access token ({error}): set a new one"
    if error.code in PERMISSION_CODES or _is_invalid(error, NO_SUCH_PIXEL):
        reason = f"Meta does not let this access token send to this pixel ({error})"
        return Verdict.PAUSE, f"{reason}: check pixel id and permissions"
    if error.code == INVALID_PARAMETER and error.subcode in PERMANENT_SUBCODES:
        reason = PERMANENT_SUBCODES[error.subcode]
        return Verdict.FAIL, f"Meta refuses the event ({error}): {reason}"
    verdict = verdict_of_status(status)
    known = Verdict.FAIL if verdict is Verdict.DELIVERED else verdict
    return known, f"Meta refuses the event with status {status} ({error})"


def _is_invalid(error: _GraphError | None, subcode: int) -> bool:
    """Whether it says that a parameter is invalid, and in which way."""
    return error is not None and (error.code, error.subcode) == (INVALID_PARAMETER, subcode)


def _gaps(event: Mapping[str, Any]) -> str:
    """What a website's event went without, though Meta wants it."""
    if event["action_source"] != ActionSource.WEBSITE:
        return ""
    wanted = {
        "event_source_url": event.get("event_source_url"),
        "client_user_agent": event["user_data"].get("client_user_agent"),
    }
    missing = " and ".join(name for name, value in wanted.items() if not value)
    return f"sent without {missing}" if missing else ""


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
