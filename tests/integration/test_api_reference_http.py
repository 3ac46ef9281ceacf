"""The API reference: every public route is in it, and real answers are as it says."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from starlette.requests import Request
from starlette.routing import Route

from server.app import Propgauge
from server.config import load
from server.domain import lead_fields
from server.domain.attribution import CLICK_ID_FIELDS, UTM_FIELDS
from server.store.file import FileStore
from server.web import lead_query, leads, openapi, problems, track
from server.web.access import Access
from server.web.api_reference import PUBLIC, TAGS
from server.web.docs import render
from server.web.metrics import Metrics
from server.web.openapi import Answer, Content, Operation, Parameter, problem
from server.web.operations import Operations
from server.web.schemas import Beacon, Beacons, LeadFields, Readiness
from tests.integration.http_fixtures import BROWSER_FORM, LISTED_ORIGIN, Person, SharedServer
from tests.running import RunningServer

NOT_DOCUMENTED = {"/", "/demo", "/demo/webhook", "/demo/deliveries.json", "/favicon.ico"}
NOT_DOCUMENTED |= {"/thank-you", "/dashboard/{name:path}", "/sign-in"}
OF_PEOPLE = {Access.PERSON, Access.SIGNED_IN, Access.ADMIN, Access.ALL_CLIENTS}
JSON = {"content-type": "application/json"}


def operation(method: str, path: str) -> Operation:
    (found,) = [one for one in PUBLIC if (one.method, one.path) == (method, path)]
    return found


def assert_documented(method: str, path: str, answer: httpx.Response) -> None:
    """Fails unless status, content type and body are in the reference, to the last field."""
    statuses = {one.status: one for one in operation(method, path).answers}
    assert answer.status_code in statuses, answer.text
    contents = {one.media_type: one for one in statuses[answer.status_code].contents}
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if not contents:
        assert not answer.content
        return
    assert kind in contents
    model = contents[kind].model
    if model is not None:
        model.model_validate(answer.json(), extra="forbid")


@pytest.fixture
def document(shared: SharedServer) -> dict[str, Any]:
    answer = shared.http.get("/openapi.json")
    assert_documented("GET", "/openapi.json", answer)
    assert answer.headers["access-control-allow-origin"] == "*"
    found: dict[str, Any] = answer.json()
    return found


def values(part: Any, key: str) -> Iterator[Any]:
    """What stands under a key, anywhere in a document."""
    if isinstance(part, dict):
        if key in part:
            yield part[key]
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from values(one, key)


# The document


def test_document_is_openapi_of_this_server(shared: SharedServer, document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "propgauge"
    assert document["servers"] == [{"url": shared.server.url}]
    assert {tag["name"] for tag in document["tags"]} == set(TAGS)


def test_document_when_public_url_is_set_names_it(tmp_path: Path) -> None:
    with RunningServer(tmp_path, {"PUBLIC_URL": "https://leads.example.com"}) as server:
        document = server.client.get("/openapi.json").json()
        assert "curl https://leads.example.com/api/lead" in server.client.get("/docs").text
    assert document["servers"] == [{"url": "https://leads.example.com"}]


def test_references_of_the_document_all_lead_somewhere(document: dict[str, Any]) -> None:
    references = list(values(document, "$ref"))
    assert references
    for reference in references:
        target: Any = document
        for name in reference.removeprefix("#/").split("/"):
            target = target[name]
        assert {"type", "anyOf"} & target.keys()


def test_operations_of_the_document_have_ids_of_their_own(document: dict[str, Any]) -> None:
    ids = list(values(document["paths"], "operationId"))
    assert len(set(ids)) == len(ids) == len(PUBLIC)


@pytest.mark.parametrize("one", PUBLIC, ids=lambda one: f"{one.method} {one.path}")
def test_operation_names_its_tag_and_each_part_of_its_path(one: Operation) -> None:
    assert one.tag in TAGS
    places = {parameter.name for parameter in one.parameters if parameter.place == "path"}
    assert places == {part.split("}")[0] for part in one.path.split("{")[1:]}


@pytest.mark.parametrize("one", PUBLIC, ids=lambda one: f"{one.method} {one.path}")
def test_examples_of_an_operation_are_valid(one: Operation) -> None:
    for content in (*one.body, *(each for answer in one.answers for each in answer.contents)):
        if content.model is not None and content.example is not None:
            content.model.model_validate(content.example)


async def test_routes_of_the_server_are_those_of_the_reference(
    store: FileStore, tmp_path: Path
) -> None:
    propgauge = Propgauge(load(tmp_path, {"SECRET_KEY": "k" * 32}), store)
    served = {("POST", track.PATH), ("OPTIONS", track.PATH)}
    for route in propgauge._routes():
        if getattr(route, "access", None) in OF_PEOPLE:
            continue
        path = getattr(route, "path", "").replace(":script_hash", "")
        methods = route.methods or set() if isinstance(route, Route) else {"GET"}
        served |= {(method, path) for method in methods - {"HEAD"}}
    documented = {(one.method, one.path) for one in PUBLIC}
    assert {one for one in served if one[1] not in NOT_DOCUMENTED} == documented


def test_fields_of_a_lead_are_all_documented_under_a_name_that_is_read() -> None:
    properties = LeadFields.model_json_schema()["properties"]
    ours = {lead_fields.our_name(name) for name in properties}
    assert ours == {*lead_fields.SYNONYMS, *UTM_FIELDS, *CLICK_ID_FIELDS}


def test_parameters_of_the_leads_are_all_documented() -> None:
    documented = {parameter.name for parameter in operation("GET", leads.PATH).parameters}
    assert documented == set(lead_query._PARAMETERS)


def test_fields_of_a_beacon_are_all_described() -> None:
    fields = Beacon.model_json_schema()["properties"]
    assert fields.keys() == Beacon.model_fields.keys()
    assert all(field["description"] for field in fields.values())


# Real answers


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, b"{", {}),
        (413, b" " * 70_000, {}),
        (422, b'{"type": "view"}', {}),
        (422, b"[]", {}),
    ],
)
def test_track_when_it_refuses_answers_as_documented(
    shared: SharedServer, status: int, body: bytes, headers: dict[str, str]
) -> None:
    answer = shared.http.post(track.PATH, content=body, headers=headers)
    assert answer.status_code == status
    assert_documented("POST", track.PATH, answer)


def test_track_when_it_stores_or_drops_answers_as_documented(person: Person) -> None:
    for _time in range(2):
        assert_documented("POST", track.PATH, person.track(person.view()))
    dropped = person.track(person.engage(page="unknown"))
    assert_documented("POST", track.PATH, dropped)
    reason = dropped.headers["x-propgauge-dropped"]
    (documented,) = operation("POST", track.PATH).answers[0].headers.values()
    assert f"`{reason}`" in documented


def lead_request(
    person: Person, key: str = "", body: bytes | None = None, query: str = "", **headers: str
) -> httpx.Response:
    content = json.dumps({"email": person.email}).encode() if body is None else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {**JSON, **({"authorization": f"Bearer {key}"} if key else {}), **named}
    return person.shared.http.post(f"/api/lead{query}", content=content, headers=sent)


def test_lead_when_it_is_stored_or_scored_answers_as_documented(person: Person) -> None:
    key = person.shared.keys.write
    answers = [
        lead_request(person),
        *(lead_request(person, key, idempotency_key=person.email) for _time in range(2)),
        lead_request(person, key, query="?dry_run=1"),
        person.form(),
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 200, 303]
    assert answers[2].headers["idempotent-replayed"] == "true"
    for answer in answers:
        assert_documented("POST", "/api/lead", answer)


@pytest.mark.parametrize(
    ("status", "asked"),
    [
        (400, {"body": b"{"}),
        (401, {"key": "pg_unknown"}),
        (401, {"query": "?dry_run=1"}),
        (413, {"body": b" " * 70_000}),
        (415, {"content_type": "application/xml"}),
        (422, {"body": b"{}"}),
        (422, {"idempotency_key": "k" * 256}),
    ],
)
def test_lead_when_it_is_refused_answers_as_documented(
    person: Person, status: int, asked: dict[str, Any]
) -> None:
    answer = lead_request(person, **asked)
    assert answer.status_code == status
    assert_documented("POST", "/api/lead", answer)
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


def test_leads_when_they_are_stored_refused_or_listed_answer_as_documented(
    person: Person,
) -> None:
    key = {"authorization": f"Bearer {person.shared.keys.admin}"}
    batch = [{"email": person.email}, {}, {"email": person.email}]
    for query in ("", "?dry_run=1"):
        answer = person.shared.http.post(f"{leads.PATH}{query}", json=batch, headers=key)
        assert answer.status_code == 207
        assert_documented("POST", leads.PATH, answer)
    listed = person.shared.http.get(f"{leads.PATH}?limit=1", headers=key)
    assert len(listed.json()["leads"]) == 1
    assert_documented("GET", leads.PATH, listed)


@pytest.mark.parametrize(
    ("method", "status", "asked"),
    [
        ("POST", 400, {"content": b"{"}),
        ("POST", 401, {"headers": {}}),
        ("POST", 413, {"content": b" " * 1_100_000}),
        ("POST", 422, {"content": b"[]"}),
        ("GET", 401, {"headers": {}}),
        ("GET", 422, {"params": {"nonsense": "1"}}),
    ],
)
def test_leads_when_they_are_refused_answer_as_documented(
    shared: SharedServer, method: str, status: int, asked: dict[str, Any]
) -> None:
    key = {"authorization": f"Bearer {shared.keys.admin}"}
    answer = shared.http.request(method, leads.PATH, **({"headers": key} | asked))
    assert answer.status_code == status
    assert_documented(method, leads.PATH, answer)


@pytest.mark.parametrize(("path", "key"), [("/api/lead", "read"), ("/api/leads", "read")])
def test_leads_with_a_key_of_another_scope_are_refused_as_documented(
    shared: SharedServer, path: str, key: str
) -> None:
    headers = {"authorization": f"Bearer {getattr(shared.keys, key)}"}
    answer = shared.http.post(path, json=[], headers=headers)
    assert answer.status_code == 403
    assert_documented("POST", path, answer)


def test_lead_when_there_are_too_many_is_refused_as_documented(tmp_path: Path) -> None:
    with RunningServer(tmp_path, {"RATE_LIMIT": "address=1"}) as server:
        answers = [server.lead(email="ana@example.com") for _time in range(2)]
    assert [answer.status_code for answer in answers] == [201, 429]
    for answer in answers:
        assert_documented("POST", "/api/lead", answer)
        assert {"ratelimit", "ratelimit-policy"} <= answer.headers.keys()


@pytest.mark.parametrize("path", ["/api/track", "/api/lead"])
def test_endpoint_when_it_is_asked_with_another_method_answers_as_documented(
    shared: SharedServer, path: str
) -> None:
    answer = shared.http.get(path)
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
    assert_documented("POST", path, answer)


@pytest.mark.parametrize("path", ["/api/track", "/api/lead"])
def test_preflight_of_an_endpoint_answers_as_documented(shared: SharedServer, path: str) -> None:
    answer = shared.http.options(path, headers={"origin": LISTED_ORIGIN})
    assert_documented("OPTIONS", path, answer)
    for name in operation("OPTIONS", path).answers[0].headers:
        assert name in answer.headers


@pytest.mark.parametrize(
    "path", ["/tracker.js", "/form.js", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"]
)
def test_path_when_it_is_read_answers_as_documented(shared: SharedServer, path: str) -> None:
    answer = shared.http.get(path)
    assert answer.status_code == 200
    assert_documented("GET", path, answer)
    for name in operation("GET", path).answers[0].headers:
        assert name in answer.headers


@pytest.mark.parametrize("name", ["tracker", "form"])
def test_script_that_is_known_or_not_there_answers_as_documented(
    shared: SharedServer, name: str
) -> None:
    assert_documented(
        "GET", f"/{name}.js", shared.http.get(f"/{name}.js", headers={"if-none-match": "*"})
    )
    unknown = shared.http.get(f"/{name}-0123456789abcdef.js")
    assert unknown.status_code == 404
    assert_documented("GET", f"/{name}-{{hash}}.js", unknown)


async def test_readyz_when_the_store_is_gone_answers_as_documented(store: FileStore) -> None:
    await store.close()
    operations = Operations(store, Metrics(), lambda: datetime.now(UTC))
    answer = await operations.readyz(Request({"type": "http"}))
    assert answer.status_code == 503
    readiness = Readiness.model_validate_json(bytes(answer.body), extra="forbid")
    assert (readiness.ready, bool(readiness.store)) == (False, True)
    assert answer.headers["retry-after"]


@pytest.mark.parametrize("status", sorted({*problems.STATUS.values(), 405}))
def test_problem_of_each_status_is_documented_somewhere(status: int) -> None:
    # 409 is for conflicts of names, which no public endpoint has.
    documented = {answer.status for one in PUBLIC for answer in one.answers}
    assert status in documented | {409}


# Examples


def curl(command: str, key: str) -> httpx.Request:
    """What curl would send: the options that the reference uses."""
    words = iter(shlex.split(command.replace("\\\n", " ").replace("pg_…", key)))
    assert next(words) == "curl"
    url, headers, body = "", {}, ""
    files: list[tuple[str, tuple[None, str]]] = []
    data: list[tuple[str, str]] = []
    for word in words:
        match word:
            case "-i":
                pass
            case "-H":
                name, value = next(words).split(": ")
                headers[name] = value
            case "-d":
                body = next(words)
            case "-F":
                name, value = next(words).split("=")
                files.append((name, (None, value)))
            case "--data-urlencode":
                name, value = next(words).split("=")
                data.append((name, value))
            case _:
                url = word
    if body:
        return httpx.Request("POST", url, headers=headers, content=body)
    method = "POST" if data or files else "GET"
    return httpx.Request(method, url, headers=headers, data=dict(data) or None, files=files or None)


EXAMPLES = [(one, example) for one in PUBLIC for example in one.examples]


@pytest.mark.parametrize(
    ("one", "example"), EXAMPLES, ids=[f"{one.path} {text[-20:]}" for one, text in EXAMPLES]
)
def test_example_as_shown_when_it_is_run_succeeds(
    shared: SharedServer, one: Operation, example: str
) -> None:
    request = curl(example.replace("$URL", shared.server.url), shared.keys.admin)
    assert request.method == one.method
    answer = shared.http.send(request)
    assert answer.is_success, answer.text
    assert_documented(one.method, one.path, answer)


@pytest.mark.parametrize("content", operation("POST", "/api/lead").body)
def test_example_of_a_lead_in_each_encoding_is_taken(
    shared: SharedServer, content: Content
) -> None:
    encoded: Mapping[str, dict[str, Any]] = {
        "application/json": {"json": content.example},
        "application/x-www-form-urlencoded": {"data": content.example},
        "multipart/form-data": {
            "files": {name: (None, value) for name, value in content.example.items()}
        },
    }
    answer = shared.http.post("/api/lead", **encoded[content.media_type])
    assert answer.status_code == 201
    sent = answer.request.headers["content-type"]
    assert sent.startswith(content.media_type)


def test_example_of_a_beacon_is_taken_alone_and_twenty_times(shared: SharedServer) -> None:
    example = operation("POST", track.PATH).body[0].example
    for body in (example, [example] * 20):
        Beacons.model_validate(body)
        assert shared.http.post(track.PATH, json=body).status_code == 202


# The page


def test_docs_is_one_page_that_may_load_nothing(shared: SharedServer) -> None:
    answer = shared.http.get("/docs", headers=BROWSER_FORM)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "<script" not in answer.text
    for one in PUBLIC:
        assert f"<code>{one.path}</code>" in answer.text


class Hostile(BaseModel):
    """<script>alert(1)</script> `<b>`."""

    field: str


def test_docs_of_an_operation_with_markup_in_its_texts_shows_them_as_text() -> None:
    text = "<script>alert(1)</script> `<b>`"
    content = Content("application/json", Hostile, {"field": text})
    one = Operation(
        "POST",
        "/x/{id}",
        text,
        text,
        (Answer(200, text, (content,), {text: text}), problem(400, text)),
        text,
        (Parameter("id", "path", text),),
        (content,),
        examples=(text,),
    )
    document = openapi.document(
        [one],
        url=text,
        info={"title": text, "version": text, "description": text},
        tags={text: text},
    )
    page = render(document)
    assert "<script" not in page
    assert "<b>" not in page
    assert "<code>&lt;b&gt;</code>" in page
