"""The operations below /api/v1/leadscoring, as documented."""

from __future__ import annotations

from server.web import leadscoring
from server.web.leadscoring_schemas import (
    FiredEvent,
    FormResponse,
    NotFired,
    Prediction,
    PredictionRequest,
    Progress,
    Result,
    Run,
    Settings,
    WebhookAnswer,
)
from server.web.openapi import Answer, Content, Operation, Parameter, Security, problem

SCORING = "Lead scoring"
DESCRIPTION = (
    "Form responses, their scores by AI, and what Meta is told. Keys reach their client. Instead"
    " of a key a session of the dashboard does: of any user of the client for results and progress,"
    " of an admin for the rest, where unsafe methods carry a token of its pages in X-CSRF-Token."
)

_RETRY = {"Retry-After": "Seconds to wait before sending the same again."}
_BUSY = problem(503, "Not now: send it again.", headers=_RETRY)
_LIMITED = problem(429, "Too many requests a minute.", headers=_RETRY)
_NO_KEY = problem(401, "The key is missing or not known.", headers={"WWW-Authenticate": "Bearer"})
_OTHERS = problem(
    403,
    "The key's scope or the user's role does not allow it, it is of another client, or the token"
    " of an unsafe request with a session is missing.",
)
_BODY = (
    problem(400, "The body cannot be read."),
    problem(408, "The body did not arrive within 10 s."),
    problem(413, "The body is over 1 MiB."),
)
_NUMBER = {"type": "integer", "minimum": 1}
_CLIENT = Parameter("client_id", "path", "The key's client.", _NUMBER, required=True)


def _json(status: int, text: str, model: type) -> Answer:
    return Answer(status, text, (Content("application/json", model),))


def _not_fired(status: int, text: str) -> Answer:
    return Answer(status, text, (Content("application/problem+json", NotFired),))


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        leadscoring.WEBHOOK_PATH,
        SCORING,
        "Take a form's response",
        (
            _json(200, "Committed; or the client or form is not known here.", WebhookAnswer),
            *_BODY,
            problem(401, "The signature is missing or wrong; nothing was stored."),
            problem(403, "The key's scope does not allow it."),
            problem(422, "No form response."),
            _LIMITED,
            _BUSY,
        ),
        "`Typeform-Signature` is checked over the raw bytes with the client's secret; a write key"
        " of the client does as well. A partial response fires the event Lead, a whole one is"
        " scored in the background.",
        (
            Parameter(
                "client_id", "query", "Else the client whose settings name the form.", _NUMBER
            ),
            Parameter("Typeform-Signature", "header", "`sha256=` and base64 of the HMAC."),
        ),
        (Content("application/json", FormResponse),),
        Security.OPTIONAL,
    ),
    Operation(
        "GET",
        leadscoring.PREFIX,
        SCORING,
        "The result of an address",
        (
            _json(200, "The result.", Result),
            _NO_KEY,
            _OTHERS,
            problem(404, "There is none."),
            problem(422, "The address is missing."),
            _LIMITED,
            _BUSY,
        ),
        "Needs a key of scope read or admin.",
        (
            Parameter("client_id", "query", "The key's client.", _NUMBER, required=True),
            Parameter("email", "query", "The whole address.", required=True),
        ),
        security=Security.REQUIRED,
    ),
    Operation(
        "POST",
        f"{leadscoring.PREFIX}/fire-capi-event/{{client_id}}/{{email}}",
        SCORING,
        "Send the client's event to Meta now",
        (
            _json(200, "Meta took it.", FiredEvent),
            _NO_KEY,
            _OTHERS,
            _not_fired(404, "There is no result of the address."),
            _not_fired(409, "Below a threshold, not scored yet, no consent, or not configured."),
            _LIMITED,
            _not_fired(502, "Meta refused it."),
            _not_fired(503, "Meta could not be reached: it is sent again by itself."),
        ),
        "Event name and thresholds are those of the settings now. A repeat has the same event id.",
        (_CLIENT, Parameter("email", "path", "The whole address.", required=True)),
        security=Security.REQUIRED,
    ),
    Operation(
        "GET",
        f"{leadscoring.PREFIX}/config/{{client_id}}",
        SCORING,
        "A client's settings",
        (_json(200, "The settings, secrets masked.", Settings), _NO_KEY, _OTHERS, _LIMITED, _BUSY),
        "Needs a key of scope admin.",
        (_CLIENT,),
        security=Security.REQUIRED,
    ),
    Operation(
        "PUT",
        f"{leadscoring.PREFIX}/config/{{client_id}}",
        SCORING,
        "Replace a client's settings",
        (
            _json(200, "The settings as they are now.", Settings),
            *_BODY,
            _NO_KEY,
            _OTHERS,
            problem(409, "The settings were changed at the same moment: read them again."),
            problem(
                422, "A field is not known, out of its bounds, or A, B and C are not in order."
            ),
            _LIMITED,
            _BUSY,
        ),
        "Takes exactly what GET answers: a mask keeps the secret that is stored. Who changed what"
        " is kept in the settings' history. `test_event_code` ends at `test_event_until` (UTC,"
        " `YYYY-MM-DDTHH:MM:SS.sssZ`) where that is set.",
        (_CLIENT,),
        (Content("application/json", Settings),),
        Security.REQUIRED,
    ),
    Operation(
        "POST",
        f"{leadscoring.PREFIX}/predictions/{{client_id}}",
        SCORING,
        "Score responses or answers",
        (
            _json(200, "Scores of the answers given.", Prediction),
            Answer(
                202,
                "Stored responses are scored in the background.",
                (Content("application/json", Run),),
                {"Location": "Where to ask how far it is."},
            ),
            *_BODY,
            _NO_KEY,
            _OTHERS,
            problem(422, "Answers or addresses cannot be used."),
            _LIMITED,
            problem(503, "Every model failed.", headers=_RETRY),
        ),
        "Without a body all unscored responses; with `emails` the last whole response of each;"
        " with `answers` those, at once and without storing anything. Needs scope write or admin.",
        (_CLIENT,),
        (Content("application/json", PredictionRequest),),
        Security.REQUIRED,
    ),
    Operation(
        "GET",
        f"{leadscoring.PREFIX}/predictions/{{client_id}}/{{run_id}}",
        SCORING,
        "How far predictions are",
        (
            _json(200, "Counts of responses.", Progress),
            _NO_KEY,
            _OTHERS,
            problem(404, "There is no such run."),
            _LIMITED,
            _BUSY,
        ),
        "",
        (_CLIENT, Parameter("run_id", "path", "As the run was answered with.", required=True)),
        security=Security.REQUIRED,
    ),
)
