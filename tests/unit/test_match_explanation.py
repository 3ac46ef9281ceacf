from dataclasses import replace

import pytest

from server.domain.match_explanation import MatchFacts, explain_match

FORM = MatchFacts("none", "form", "WebSite", "", None, frozenset({"no_tracking_session"}))


def test_match_by_visitor_id_is_sure() -> None:
    assert explain_match(replace(FORM, kind="visitor_id")).sure == "Sure"


def test_match_by_address_is_likely_and_advises_to_ask() -> None:
    explained = explain_match(replace(FORM, kind="ip"))
    assert explained.sure == "Likely, not sure"
    assert "Ask" in explained.advice


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (FORM, "tracker had not loaded"),
        (replace(FORM, visitor_id="v1"), "no visit of that id"),
        (replace(FORM, consent=False, visitor_id="v1"), "refused to be tracked"),
        (replace(FORM, signals=frozenset({"automation"})), "like a program"),
        (replace(FORM, channel="api", lead_source="Facebook"), "came from Facebook"),
        (replace(FORM, channel="typeform", lead_source="Typeform"), "came from Typeform"),
    ],
)
def test_no_match_tells_why_and_what_to_go_by(facts: MatchFacts, reason: str) -> None:
    explained = explain_match(facts)
    assert reason in explained.reason
    assert "No visit is no low score" in explained.advice
