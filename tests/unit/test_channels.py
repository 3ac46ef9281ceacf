from typing import Any

import pytest

from server import channels
from server.channels import form_id_of, response_channel
from server.domain.errors import AppError, ErrorCode
from server.domain.ids import ClientId
from server.domain.lead import Channel, LeadDraft, Submission

EMAIL = "ann@example.com"


def parsed(*, authenticated: bool = False, **fields: Any) -> LeadDraft:
    return channels.parse(Submission({"email": EMAIL, **fields}, authenticated))


@pytest.mark.parametrize("authenticated", [False, True])
@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({"__visitor_id": "v-1"}, "WebSite"),
        ({"__visitor_id": "v-1", "SOURCE": "Facebook"}, "Facebook"),
        ({"__visitor_id": 12345, "SOURCE": "Facebook"}, "Facebook"),
    ],
)
def test_submission_with_a_visitor_is_a_forms(
    fields: dict[str, Any], source: str, *, authenticated: bool
) -> None:
    draft = parsed(authenticated=authenticated, **fields)
    assert (draft.channel, draft.lead_source) == (Channel.FORM, source)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"SOURCE": ""},
        {"SOURCE": " "},
        {"SOURCE": None},
        {"SOURCE": {}},
        {"SOURCE": "WebSite"},
        {"source": " WebSite "},
        {"__visitor_id": ""},
        {"__visitor_id": None},
    ],
)
def test_submission_without_visitor_key_and_source_is_a_forms_from_the_website(
    fields: dict[str, Any],
) -> None:
    draft = parsed(**fields)
    assert (draft.channel, draft.lead_source) == (Channel.FORM, "WebSite")


@pytest.mark.parametrize("authenticated", [False, True])
@pytest.mark.parametrize(
    "source", ["Facebook", "WhatsApp", "JustLead", " Facebook ", "facebook ads"]
)
def test_submission_without_visitor_that_names_its_source_is_a_partners(
    source: str, *, authenticated: bool
) -> None:
    draft = parsed(authenticated=authenticated, SOURCE=source)
    assert (draft.channel, draft.lead_source) == (Channel.API, source.strip())
    assert draft.visitor_id is None


@pytest.mark.parametrize(
    ("source", "kept"),
    [("", "WebSite"), (None, "WebSite"), ("WebSite", "WebSite"), ("Portal", "Portal")],
)
def test_submission_with_a_key_and_without_visitor_is_a_partners(
    source: str | None, kept: str
) -> None:
    draft = parsed(authenticated=True, SOURCE=source)
    assert (draft.channel, draft.lead_source) == (Channel.API, kept)


@pytest.mark.parametrize("visitor_id", [" ", "{{visitor_id}}", "a" * 129, ["", None], {"id": "v"}])
def test_submission_whose_visitor_id_counts_as_none_is_a_partners(visitor_id: Any) -> None:
    assert parsed(__visitor_id=visitor_id, SOURCE="Facebook").channel is Channel.API
    assert parsed(authenticated=True, __visitor_id=visitor_id).channel is Channel.API


@pytest.mark.parametrize("source", [["WebSite"], ["", "WebSite"], {"a": 1}, True, [None]])
def test_submission_whose_source_reads_as_the_website_is_a_forms(source: Any) -> None:
    draft = parsed(SOURCE=source)
    assert (draft.channel, draft.lead_source) == (Channel.FORM, "WebSite")


@pytest.mark.parametrize("source", ["website", "Website", "WEBSITE"])
def test_submission_whose_source_is_the_website_in_any_case_is_a_forms(source: str) -> None:
    assert parsed(SOURCE=source).channel is Channel.FORM


@pytest.mark.parametrize("authenticated", [False, True])
def test_submission_without_contact_is_refused_by_every_channel(*, authenticated: bool) -> None:
    with pytest.raises(AppError) as refused:
        channels.parse(Submission({"name": "Ann", "SOURCE": "Facebook"}, authenticated))
    assert refused.value.code is ErrorCode.INVALID


def test_last_channel_claims_everything() -> None:
    last = channels.SUBMISSION_CHANNELS[-1]
    assert last.claims(Submission({}, authenticated=False))
    assert last.claims(Submission({"SOURCE": "Facebook"}, authenticated=True))


@pytest.mark.parametrize(
    ("client_id", "channel"), [(1, Channel.TYPEFORM), (29, Channel.TYPEFORM), (30, Channel.BLUSH)]
)
def test_response_channel_of_client_30_is_blushs(client_id: int, channel: Channel) -> None:
    content = {"event_type": "form_response", "email": "ana@example.com"}
    payload = {**content, "form_response": {"token": "t", "answers": []}}
    assert response_channel(ClientId(client_id)).parse(payload, {}).channel is channel


@pytest.mark.parametrize(
    ("payload", "form_id"),
    [
        ({"form_response": {"form_id": "abc"}}, "abc"),
        ({"form_response": {"form_id": 7}}, ""),
        ({"form_response": []}, ""),
        ({}, ""),
    ],
)
def test_form_of_a_payload_is_the_one_it_names(payload: dict[str, Any], form_id: str) -> None:
    assert form_id_of(payload) == form_id
