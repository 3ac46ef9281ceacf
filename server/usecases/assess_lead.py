"""Assess a lead: match the visitor, score engagement and suspicion.

The one place where a failure is logged and passed over: scoring never blocks a lead (spec).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime

from server.domain import engagement, suspicion, user_agent
from server.domain.attribution import Attribution, from_url
from server.domain.clock import elapsed_ms
from server.domain.contact import Phone
from server.domain.engagement import NO_ENGAGEMENT, Engagement
from server.domain.ids import ClientId
from server.domain.lead import Channel, LeadDraft
from server.domain.network import vpn_reason
from server.domain.suspicion import Evidence, SignalFinding, Suspicion
from server.domain.visitor import (
    Arrival,
    BeaconType,
    Fingerprint,
    MatchKind,
    NetworkKind,
    PageViewTotals,
    Peer,
    Session,
    Visit,
    wall_time_ms,
)
from server.factors import FACTORS
from server.signals import SIGNALS, Signal
from server.store import leads, visitors
from server.store.contract import Store, StoreError
from server.store.leads import NO_HISTORY, ContactHistory, Enquirer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeadContext:
    """A draft with all that is known about its sending. `state` is its `__pg_state`.

    `relayed` tells that a partner's server sent it: its connection says nothing of the person.
    `lead_id` is set where the lead may stand already, so that it is no duplicate of itself.
    """

    client_id: ClientId
    draft: LeadDraft
    phone: Phone
    peer: Peer
    unlisted_origin: str | None
    state: Arrival | None
    received_at: datetime
    relayed: bool = False
    lead_id: str = ""


@dataclass(frozen=True, slots=True)
class Assessment:
    """How a lead is judged, and where its visit came from.

    `consent_withdrawn` tells that the visitor has taken back the consent to be tracked.
    """

    engagement: Engagement
    suspicion: Suspicion
    vpn_suspected: bool
    attribution: Attribution
    consent_withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class _Match:
    """The session a lead belongs to, with the page state already counted in."""

    kind: MatchKind = MatchKind.NONE
    session: Session | None = None
    fingerprint: Fingerprint | None = None
    view_age_ms: int | None = None
    bot_reason: str = ""
    consent_withdrawn: bool = False

    @property
    def own_session(self) -> Session | None:
        """The visitor's own session: one found by address tells nothing of the person."""
        return self.session if self.kind is MatchKind.VISITOR_ID else None


async def assess(store: Store, context: LeadContext) -> Assessment:
    """Score a lead; never raises. What fails is logged and counts as unknown."""
    # Of a remote store every read is a round trip, so those that can be go together.
    (match, scored), history = await asyncio.gather(
        _visited(store, context), _history(store, context)
    )
    evidence = _evidence(context, match, history)
    suspected = suspicion.total(_finding(signal, evidence) for signal in SIGNALS)
    own = match.own_session
    return Assessment(
        scored,
        suspected,
        vpn_suspected=bool(match.fingerprint and match.fingerprint.vpn_suspected),
        attribution=own.attribution if own else Attribution(),
        consent_withdrawn=match.consent_withdrawn,
    )


async def _visited(store: Store, context: LeadContext) -> tuple[_Match, Engagement]:
    try:
        match = await _match(store, context)
        return match, _engagement(match)
    except StoreError as error:
        logger.warning("engagement could not be scored: %s", error)
        return _Match(), NO_ENGAGEMENT
    except Exception:
        logger.exception("engagement could not be scored")
        return _Match(), NO_ENGAGEMENT


def _engagement(match: _Match) -> Engagement:
    session = match.session
    if session is None:
        return NO_ENGAGEMENT
    visit = Visit(
        session_id=session.session_id,
        duration_seconds=session.duration_ms // 1000,
        max_scroll_percent=session.max_scroll_percent,
        clicks=session.clicks,
        pages_visited=session.pages_visited,
        return_visits=match.fingerprint.return_visits if match.fingerprint else 0,
    )
    return engagement.total([score(visit) for score in FACTORS], visit, match.kind)


async def _match(store: Store, context: LeadContext) -> _Match:
    """The visitor's most recent session; by address only when a visitor id found none (spec)."""
    visitor_id = context.draft.visitor_id
    if visitor_id is None:
        return _Match()
    state = context.state
    beacon = state.beacon if state else None
    found, fingerprint = await asyncio.gather(
        visitors.last_session_of_visitor(store, context.client_id, visitor_id, beacon),
        visitors.fingerprint_of(store, context.client_id, visitor_id),
    )
    if found and found.session.consent is False:
        return _Match(consent_withdrawn=True)
    match = _Match(
        MatchKind.VISITOR_ID if found else MatchKind.NONE,
        found.session if found else None,
        fingerprint,
        bot_reason=found.bot_reason if found else "",
    )
    if state is not None:
        match = _with_state(match, state, found.page_view if found else None)
    if match.bot_reason:
        return _Match(bot_reason=match.bot_reason, view_age_ms=match.view_age_ms)
    return match if match.session else await _match_by_address(store, context)


async def _match_by_address(store: Store, context: LeadContext) -> _Match:
    ip = "" if context.relayed else context.peer.ip
    found = await visitors.last_session_of_address(store, context.client_id, ip) if ip else None
    if found is None:
        return _Match()
    visitor_id = found.session.visitor_id
    fingerprint = await visitors.fingerprint_of(store, context.client_id, visitor_id)
    return _Match(MatchKind.IP, found.session, fingerprint)


def _with_state(match: _Match, state: Arrival, stored: PageViewTotals | None) -> _Match:
    """The match after the page state: its totals counted in, or the session that it opens."""
    beacon = state.beacon
    if stored is None and beacon.type is not BeaconType.VIEW:
        return match
    started_at = stored.started_at if stored else state.occurred_at
    age_ms = elapsed_ms(started_at, state.received_at)
    session = match.session
    if session is None or session.session_id != beacon.session_id:
        if stored is not None:
            return replace(match, view_age_ms=age_ms)
        return _opened_by(state, match.fingerprint, age_ms)
    return replace(match, session=_grown(session, stored, state, started_at), view_age_ms=age_ms)


def _opened_by(state: Arrival, known: Fingerprint | None, age_ms: int) -> _Match:
    """A visit whose first stored beacon is the page state itself."""
    beacon, peer = state.beacon, state.peer
    opened = Session(
        session_id=beacon.session_id,
        visitor_id=beacon.visitor_id,
        started_at=state.occurred_at,
        duration_ms=0,
        max_scroll_percent=0,
        clicks=0,
        pages_visited=0,
        attribution=from_url(beacon.url),
    )
    reason = vpn_reason(beacon.timezone, peer)
    visits = known.visit_count if known else 0
    return _Match(
        MatchKind.VISITOR_ID,
        _grown(opened, None, state, state.occurred_at),
        Fingerprint(visits + 1, bool(reason), reason),
        view_age_ms=age_ms,
        bot_reason=_bot_reason(peer, automation=beacon.automation),
    )


def _bot_reason(peer: Peer, *, automation: bool) -> str:
    hosted = peer.network_kind is NetworkKind.HOSTING
    return user_agent.bot_reason(peer.user_agent, automation=automation, hosted=hosted)


def _grown(
    session: Session, stored: PageViewTotals | None, state: Arrival, started_at: datetime
) -> Session:
    """The session once the state's page view holds the larger of its totals."""
    before = stored or PageViewTotals(started_at, duration_ms=0, clicks=0)
    beacon = state.beacon
    duration_ms = min(beacon.duration_ms, wall_time_ms(state, started_at))
    return replace(
        session,
        duration_ms=session.duration_ms + max(0, duration_ms - before.duration_ms),
        max_scroll_percent=max(session.max_scroll_percent, beacon.scroll_depth),
        clicks=session.clicks + max(0, beacon.clicks - before.clicks),
        pages_visited=session.pages_visited + (0 if stored else 1),
    )


async def _history(store: Store, context: LeadContext) -> ContactHistory:
    enquirer = Enquirer(context.draft, context.phone.e164, context.peer.ip, context.lead_id)
    try:
        return await leads.contact_history(store, context.client_id, enquirer, context.received_at)
    except StoreError as error:
        logger.warning("earlier leads could not be counted: %s", error)
        return NO_HISTORY
    except Exception:
        logger.exception("earlier leads could not be counted")
        return NO_HISTORY


def _finding(signal: Signal, evidence: Evidence) -> SignalFinding | None:
    try:
        return signal(evidence)
    except Exception:
        logger.exception("the signal %s failed", signal.__module__)
        return None


def _evidence(context: LeadContext, match: _Match, history: ContactHistory) -> Evidence:
    draft, peer, fingerprint = context.draft, context.peer, match.fingerprint
    evidence = Evidence(
        session_matched=match.session is not None,
        honeypot=draft.honeypot,
        time_to_submit_ms=draft.time_to_submit_ms,
        view_age_ms=match.view_age_ms,
        vpn_suspected=bool(fingerprint and fingerprint.vpn_suspected),
        vpn_reason=fingerprint.vpn_reason if fingerprint else "",
        duplicates_in_24_h=history.duplicates,
        same_message_from_others_in_24_h=history.same_message_from_others,
        name=draft.full_name,
        email=draft.email,
        phone=draft.phone,
        phone_possible=context.phone.possible,
        phone_countries=context.phone.countries,
        message=draft.message,
        bot_reason=match.bot_reason,
    )
    if draft.channel is Channel.API:
        return evidence
    session, state = match.own_session, context.state
    driven = bool(state and state.beacon.automation) or bool(session and session.automation)
    if context.relayed:
        return replace(evidence, automation=driven)
    agent_reason = _bot_reason(peer, automation=driven)
    return replace(
        evidence,
        leads_from_address_in_5_min=history.from_address + 1,
        country=peer.country,
        bot_reason=match.bot_reason or agent_reason,
        automation=driven,
        unlisted_origin=context.unlisted_origin,
    )
