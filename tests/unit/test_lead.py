from server.domain.attribution import Attribution
from server.domain.ids import SessionId, VisitorId
from server.domain.lead import Channel, LeadDraft


def test_untracked_draft_keeps_the_enquiry_and_loses_the_visit() -> None:
    draft = LeadDraft(
        channel=Channel.FORM,
        lead_source="WebSite",
        name="Ana Example",
        email="ana@example.com",
        page_url="https://www.example.com/plans?gclid=g-1#top",
        referrer="https://www.google.com/search?q=flat",
        attribution=Attribution({"utm_source": "google"}, {"gclid": "g-1"}),
        visitor_id=VisitorId("v-1"),
        session_id=SessionId("s-1"),
        page_state="{}",
        extra={"budget": "1m"},
    )
    assert draft.untracked() == LeadDraft(
        channel=Channel.FORM,
        lead_source="WebSite",
        name="Ana Example",
        email="ana@example.com",
        page_url="https://www.example.com/plans",
        referrer="https://www.google.com/search",
        attribution=Attribution({"utm_source": "google"}),
        consent=False,
        extra={"budget": "1m"},
    )
