"""All that the page of one lead shows: its row, its person's visits, responses and other leads."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from server.domain.engagement import label_of
from server.domain.ids import ClientId, LeadId
from server.store.contract import Row, Store

MAX_SESSIONS = 20
MAX_VIEWS_A_SESSION = 100
"""Of pages and of events each; a person's visit is far below, a program's is not to be read."""

MAX_OTHERS = 20
MAX_RESPONSES = 20

_LEAD = """
SELECT l.PublicId AS lead_id, l.CreatedAt AS created_at, l.UpdatedAt AS updated_at,
  l.Channel AS channel, l.Name AS name, l.Email AS email, l.Phone AS phone,
  l.PhoneE164 AS phone_e164, l.Message AS message, l.Project AS project,
  l.LeadSource AS lead_source, l.PageUrl AS page_url, l.Referrer AS referrer, l.Ip AS ip,
  l.UserAgent AS user_agent, l.Country AS country, l.SiteKey AS site, l.Consent AS consent,
  l.UtmSource AS utm_source, l.UtmMedium AS utm_medium, l.UtmCampaign AS utm_campaign,
  l.UtmTerm AS utm_term, l.UtmContent AS utm_content, l.ClickIds AS click_ids, l.Extra AS extra,
  l.VisitorId AS visitor_id, l.SessionId AS session_id, l.EngagementScore AS engagement_score,
  l.EngagementLabel AS engagement_label, l.PagesVisited AS pages_visited,
  l.SessionDuration AS session_duration_seconds, l.ReturnVisits AS return_visits,
  l.VpnSuspected AS vpn_suspected, l.MatchKind AS match_kind,
  l.RecommendedAction AS recommended_action, l.EngagementFactors AS engagement_factors,
  l.SuspicionScore AS suspicion_score, l.SuspicionLabel AS suspicion_label,
  l.SuspicionSignals AS suspicion_signals, l.Status AS status, l.StatusAt AS status_at,
  l.FirstContactAt AS first_contact_at, l.OwnerId AS owner_id, l.Revision AS revision,
  u.email AS owner
FROM Leads AS l LEFT JOIN users AS u ON u.id = l.OwnerId
WHERE l.ClientId = ? AND l.PublicId = ?"""

_JSON_COLUMNS: dict[str, type] = {
    "click_ids": dict,
    "extra": dict,
    "engagement_factors": list,
    "suspicion_signals": list,
}

# The visitor is the session's: a lead matched by address carries an id that has no visit.
_SESSIONS = """
SELECT s.session_id, s.started_at, s.last_seen_at, s.duration_seconds, s.max_scroll_percent,
  s.clicks, s.pages_visited, s.browser, s.os, s.device, s.country, s.language, s.timezone,
  s.network, s.landing_url, s.referrer, s.utm_source, s.utm_medium, s.utm_campaign, s.click_ids,
  s.is_bot, s.bot_reason, s.consent, s.session_id = ?2 AS is_of_lead
FROM sessions AS s
WHERE s.client_id = ?1 AND s.visitor_id = (
  SELECT visitor_id FROM sessions WHERE client_id = ?1 AND session_id = ?2)
ORDER BY is_of_lead DESC, s.id DESC LIMIT ?3"""

_VIEWS = """
SELECT p.session_id, p.started_at AS at, p.url, p.title, p.duration_ms, p.scroll_percent,
  p.scrollable, p.clicks
FROM json_each(?2) AS j CROSS JOIN page_views AS p ON p.client_id = ?1 AND p.session_id = j.value
  AND p.page_view_id IN (SELECT page_view_id FROM page_views
    WHERE client_id = ?1 AND session_id = j.value ORDER BY page_view_id LIMIT ?3)"""

_EVENTS = """
SELECT e.session_id, e.occurred_at AS at, e.name, e.props
FROM json_each(?2) AS j CROSS JOIN events AS e ON e.client_id = ?1 AND e.session_id = j.value
  AND e.event_id IN (SELECT event_id FROM events
    WHERE client_id = ?1 AND session_id = j.value ORDER BY event_id LIMIT ?3)"""

_OTHERS = """
SELECT l.PublicId AS lead_id, l.CreatedAt AS created_at, l.Name AS name, l.Project AS project,
  l.LeadSource AS lead_source, l.EngagementScore AS engagement_score,
  l.EngagementLabel AS engagement_label, l.MatchKind AS match_kind, l.Status AS status,
  MAX(f.by_email) AS by_email, MAX(f.by_phone) AS by_phone, MAX(f.by_visitor) AS by_visitor
FROM (
  SELECT * FROM (SELECT Id, 1 AS by_email, 0 AS by_phone, 0 AS by_visitor FROM Leads
    WHERE ClientId = ?1 AND Email = ?3 ORDER BY Id DESC LIMIT ?7)
  UNION ALL SELECT * FROM (SELECT Id, 0, 1, 0 FROM Leads
    WHERE ClientId = ?1 AND PhoneE164 = ?4 ORDER BY Id DESC LIMIT ?7)
  UNION ALL SELECT * FROM (SELECT Id, 0, 1, 0 FROM Leads
    WHERE ClientId = ?1 AND Phone = ?5 ORDER BY Id DESC LIMIT ?7)
  UNION ALL SELECT * FROM (SELECT Id, 0, 0, 1 FROM Leads
    WHERE ClientId = ?1 AND VisitorId = ?6 ORDER BY Id DESC LIMIT ?7)) AS f
JOIN Leads AS l ON l.Id = f.Id AND l.PublicId <> ?2
GROUP BY l.Id ORDER BY l.CreatedAt DESC LIMIT ?7"""

_RESPONSES = """
SELECT r.id, r.lead_id, r.event_type, r.received_at, r.scored_at, r.ai_fin, r.ai_show, r.ai_sql,
  r.signals, r.model, r.prompt_version, r.review, r.last_error, j.state AS job_state,
  j.due_at AS job_due_at
FROM form_responses AS r
LEFT JOIN jobs AS j ON j.kind = ?4 AND j.subject = r.client_id || ':' || r.event_id
WHERE r.id IN (
  SELECT id FROM form_responses WHERE client_id = ?1 AND lead_id = ?2
  UNION SELECT id FROM form_responses WHERE client_id = ?1 AND email = ?3)
ORDER BY r.id DESC LIMIT ?5"""


class Visits(NamedTuple):
    """Sessions of a visitor, the lead's own first, with their page views and events."""

    sessions: list[Row]
    views: list[Row]
    events: list[Row]


async def find(store: Store, client_id: ClientId, lead_id: LeadId) -> dict[str, Any] | None:
    """A lead of the client under the webhook's names, JSON columns decoded; None without one."""
    rows = await store.query(_LEAD, (client_id, lead_id))
    if not rows:
        return None
    found = dict(rows[0])
    for name, kind in _JSON_COLUMNS.items():
        value = json.loads(found[name]) if found[name] else None
        found[name] = value if isinstance(value, kind) else kind()
    found["engagement_score"] = int(found["engagement_score"] or 0)
    found["engagement_label"] = found["engagement_label"] or label_of(found["engagement_score"])
    found["consent"] = None if found["consent"] is None else bool(found["consent"])
    return found


async def visits(store: Store, client_id: ClientId, session_id: str) -> Visits:
    """The latest sessions of the person of a session; none of who withdrew consent."""
    sessions = await store.query(_SESSIONS, (client_id, session_id, MAX_SESSIONS))
    if any(session["consent"] == 0 for session in sessions):
        return Visits([], [], [])
    ids = json.dumps([session["session_id"] for session in sessions])
    views = await store.query(_VIEWS, (client_id, ids, MAX_VIEWS_A_SESSION))
    events = await store.query(_EVENTS, (client_id, ids, MAX_VIEWS_A_SESSION))
    return Visits(sessions, views, events)


async def others(store: Store, client_id: ClientId, lead: dict[str, Any]) -> list[Row]:
    """Other leads with the e-mail, phone or visitor id of this one, newest first."""
    return await store.query(
        _OTHERS,
        (
            client_id,
            lead["lead_id"],
            lead["email"],
            lead["phone_e164"],
            lead["phone"],
            lead["visitor_id"],
            MAX_OTHERS + 1,
        ),
    )


async def responses(
    store: Store, client_id: ClientId, lead_id: str, email: str | None, job_kind: str
) -> list[Row]:
    """Form responses of the lead and of its address, newest first, with the state of their job."""
    return await store.query(_RESPONSES, (client_id, lead_id, email, job_kind, MAX_RESPONSES))


def decoded(text: str | None) -> dict[str, Any]:
    """A JSON object of a column, {} for anything else."""
    value = json.loads(text) if text else None
    return value if isinstance(value, dict) else {}
