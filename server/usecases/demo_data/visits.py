"""Visitors and what they do on a site: sessions, page views and events of demonstration data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from server.domain import user_agent
from server.domain.attribution import UTM_FIELDS, Attribution, from_url
from server.domain.clock import to_text
from server.domain.ids import ClientId, SessionId, VisitorId
from server.domain.network import vpn_reason
from server.domain.visitor import NetworkKind, Peer, Visit
from server.store.seeding import SeedRow
from server.store.visit_rows import FingerprintRow, PageViewRow, SessionRow, VisitorEventRow
from server.usecases.demo_data import property as market
from server.usecases.demo_data.people import Nation, People
from server.usecases.demo_data.property import Campaign, Page, Project


class Mood(NamedTuple):
    """How deeply somebody looks; each pair holds the least and the most of one session."""

    pages: tuple[int, int]
    seconds: tuple[int, int]
    scroll: tuple[int, int]
    clicks: tuple[int, int]
    sessions: Sequence[int]


BOUNCE = Mood((1, 1), (1, 12), (0, 35), (0, 1), (1,))
GLANCE = Mood((1, 2), (8, 90), (10, 60), (0, 3), (1, 1, 1, 1, 2))
BROWSE = Mood((2, 4), (60, 180), (40, 85), (2, 8), (1, 1, 1, 2))
READ = Mood((3, 6), (150, 330), (70, 100), (5, 14), (1, 1, 2, 2, 3))
STUDY = Mood((4, 9), (300, 900), (90, 100), (10, 26), (2, 2, 3, 4, 5))

VISITOR_MOODS = {BOUNCE: 45, GLANCE: 30, BROWSE: 17, READ: 7, STUDY: 1}
LEAD_MOODS = {GLANCE: 27, BROWSE: 30, READ: 25, STUDY: 18}

_CHROME = "(KHTML, like Gecko) Chrome/140.0.0.0"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X)"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_SAFARI = "(KHTML, like Gecko) Version/18.6"
_AGENTS = {
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 {_CHROME} Safari/537.36": 28,
    f"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 {_CHROME} Mobile Safari/537.36": 24,
    f"{_IPHONE} AppleWebKit/605.1.15 {_SAFARI} Mobile/15E148 Safari/604.1": 30,
    f"{_MAC} AppleWebKit/605.1.15 {_SAFARI} Safari/605.1.15": 14,
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0": 4,
}
_BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/140.0.0.0 {_CHROME}",
)
_SCREENS = {"mobile": ("390x844", "412x915"), "tablet": ("820x1180",)}
_DESKTOP_SCREENS = ("1440x900", "1920x1080", "2560x1440")

_BOT_SHARE, _VPN_SHARE, _ABROAD_SHARE, _WITHDRAWN_SHARE = 0.06, 0.02, 0.02, 0.01
_GRANTED_SHARE, _THANKED_SHARE = 0.4, 0.4
_MAX_PAUSE_SECONDS = 40


@dataclass(slots=True)
class Visitor:
    """A browser; `visits` counts the sessions so far, bots' left out."""

    visitor_id: VisitorId
    nation: Nation
    peer: Peer
    timezone: str
    language: str
    screen: str
    fingerprint: str
    campaign: Campaign
    project: Project
    mood: Mood
    bot_reason: str = ""
    vpn_reason: str = ""
    consent: int | None = None
    visits: int = 0
    first_seen_at: str = ""
    fbp: str | None = None


@dataclass(frozen=True, slots=True)
class Appearance:
    """One session as told: its rows, and what a lead sent at its end is scored by."""

    rows: list[SeedRow] = field(repr=False)
    visit: Visit
    started_at: datetime
    landing_url: str
    page_url: str
    referrer: str
    attribution: Attribution


class _View(NamedTuple):
    page: Page
    url: str
    started_at: datetime
    duration_ms: int
    scroll: int
    clicks: int


class Visits:
    """Makes visitors and their sessions, all of one client and site."""

    def __init__(self, rng: Random, people: People, client_id: ClientId, site_key: str) -> None:
        self._rng = rng
        self._people = people
        self._client_id = client_id
        self._site_key = site_key

    def visitor(self, moment: datetime, *, converts: bool = False) -> Visitor:
        """Somebody who comes for the first time; who converts is no bot and has not withdrawn."""
        rng, nation = self._rng, self._people.nation()
        bot = not converts and rng.random() < _BOT_SHARE
        agent = rng.choice(_BOTS) if bot else rng.choices(list(_AGENTS), list(_AGENTS.values()))[0]
        hidden = rng.random() < _VPN_SHARE
        kind, network = (NetworkKind.VPN, "Example VPN") if hidden else (None, "")
        peer = Peer(self._people.address(), nation.country, agent, network, kind)
        moods = LEAD_MOODS if converts else VISITOR_MOODS
        visitor = Visitor(
            visitor_id=VisitorId(_new_id(rng, "v", moment)),
            nation=nation,
            peer=peer,
            timezone="Asia/Hong_Kong" if rng.random() < _ABROAD_SHARE else nation.timezone,
            language=rng.choice(nation.languages),
            screen=rng.choice(
                _SCREENS.get(user_agent.parse(agent).device, _DESKTOP_SCREENS),
            ),
            fingerprint=f"{rng.getrandbits(64):016x}",
            campaign=rng.choices(market.CAMPAIGNS, market.CAMPAIGN_WEIGHTS)[0],
            project=rng.choices(market.PROJECTS, market.PROJECT_WEIGHTS)[0],
            mood=BOUNCE if bot else rng.choices(list(moods), list(moods.values()))[0],
            bot_reason=user_agent.bot_reason(agent, automation=False, hosted=False),
            consent=1 if not bot and rng.random() < _GRANTED_SHARE else None,
        )
        visitor.vpn_reason = vpn_reason(visitor.timezone, peer)
        if not (converts or bot) and rng.random() < _WITHDRAWN_SHARE:
            visitor.consent = 0
        if visitor.campaign.click_id == "fbclid":
            visitor.fbp = f"fb.1.{_milliseconds(moment)}.{rng.randrange(10**9, 10**10)}"
        return visitor

    def session(self, visitor: Visitor, begins: datetime, latest_end: datetime) -> Appearance:
        """A session that leads to nothing; moved back where it would outlast `latest_end`."""
        pages = [market.LANDING, *self._pages(self._rng.randint(*visitor.mood.pages) - 1)]
        return self._session(visitor, pages, begins, latest_end)

    def converting_session(
        self, visitor: Visitor, ends: datetime, now: datetime, form: Page = market.CONTACT
    ) -> Appearance:
        """A session at whose end a form is sent; its visit is as of that moment."""
        more = max(0, self._rng.randint(*visitor.mood.pages) - 2)
        pages = [market.LANDING, *self._pages(more), form]
        told = self._session(visitor, pages, ends, ends)
        if self._rng.random() < _THANKED_SHARE and ends + timedelta(seconds=8) < now:
            self._thank(visitor, told, ends)
        return told

    def _pages(self, count: int) -> list[Page]:
        return self._rng.choices(market.PAGES, market.PAGE_WEIGHTS, k=count)

    def _session(
        self, visitor: Visitor, pages: Sequence[Page], begins: datetime, latest_end: datetime
    ) -> Appearance:
        query = visitor.campaign.query(f"demo{self._rng.getrandbits(48):012x}")
        views, ends = self._views(visitor, pages, begins, query)
        late = max(timedelta(0), ends - latest_end)
        views = [view._replace(started_at=view.started_at - late) for view in views]
        return self._told(visitor, views, ends - late)

    def _views(
        self, visitor: Visitor, pages: Sequence[Page], begins: datetime, query: str
    ) -> tuple[list[_View], datetime]:
        rng, mood = self._rng, visitor.mood
        cuts = [rng.uniform(0.3, 1.0) for _ in pages]
        total_ms, moment, views = rng.randint(*mood.seconds) * 1000, begins, []
        clicks = _spread(rng, rng.randint(*mood.clicks), len(pages))
        for position, page in enumerate(pages):
            duration_ms = int(total_ms * cuts[position] / sum(cuts))
            url = f"https://{visitor.project.host}{page.path}{'' if position else query}"
            scroll = rng.randint(*mood.scroll)
            views.append(_View(page, url, moment, duration_ms, scroll, clicks[position]))
            moment += timedelta(
                milliseconds=duration_ms + rng.randrange(300, _MAX_PAUSE_SECONDS * 1000)
            )
        return views, moment

    def _told(self, visitor: Visitor, views: Sequence[_View], ends: datetime) -> Appearance:
        rng, landing = self._rng, views[0]
        session_id = SessionId(_new_id(rng, "s", landing.started_at))
        first = visitor.visits == 0
        referrer = visitor.campaign.referrer if first or visitor.campaign.source else ""
        if not visitor.bot_reason:
            visitor.visits += 1
        visitor.first_seen_at = visitor.first_seen_at or to_text(landing.started_at)
        visit = Visit(
            session_id,
            duration_seconds=sum(view.duration_ms for view in views) // 1000,
            max_scroll_percent=max(view.scroll for view in views),
            clicks=sum(view.clicks for view in views),
            pages_visited=len(views),
            return_visits=max(0, visitor.visits - 1),
        )
        attribution = from_url(landing.url)
        rows: list[SeedRow] = [
            self._session_row(visitor, visit, landing, ends, attribution, referrer)
        ]
        before = referrer
        for view in views:
            rows += self._view_rows(session_id, view, before)
            before = view.url
        rows += self._fingerprint_rows(visitor, landing.started_at)
        return Appearance(
            rows, visit, landing.started_at, landing.url, views[-1].url, referrer, attribution
        )

    def _session_row(
        self,
        visitor: Visitor,
        visit: Visit,
        landing: _View,
        ends: datetime,
        attribution: Attribution,
        referrer: str,
    ) -> SessionRow:
        peer, agent = visitor.peer, user_agent.parse(visitor.peer.user_agent)
        source, medium, campaign, term, content = map(attribution.utm.get, UTM_FIELDS)
        return SessionRow(
            self._client_id,
            visit.session_id,
            visitor.visitor_id,
            self._site_key or None,
            peer.ip,
            peer.country,
            peer.user_agent,
            agent.browser,
            agent.os,
            agent.device,
            visitor.language,
            visitor.timezone,
            visitor.screen,
            landing.url,
            referrer,
            source,
            medium,
            campaign,
            term,
            content,
            json.dumps(attribution.click_ids) if attribution.click_ids else None,
            to_text(landing.started_at),
            to_text(ends),
            visit.duration_seconds,
            visit.max_scroll_percent,
            visit.clicks,
            visit.pages_visited,
            visitor.fbp,
            None,
            visitor.consent,
            peer.network or None,
            peer.network_kind,
            0,
            int(bool(visitor.bot_reason)),
            visitor.bot_reason or None,
        )

    def _view_rows(self, session_id: SessionId, view: _View, referrer: str) -> Iterator[SeedRow]:
        rng = self._rng
        view_id = _new_id(rng, "p", view.started_at)
        yield PageViewRow(
            self._client_id,
            session_id,
            view_id,
            view.url,
            view.page.title,
            referrer,
            to_text(view.started_at),
            2 + view.clicks,
            view.duration_ms,
            view.scroll,
            1,
            view.clicks,
        )
        happens = view.page in (market.CONTACT, market.FINDER) or (
            view.clicks and rng.random() < 0.4
        )
        if view.page.event and happens:
            after = timedelta(milliseconds=view.duration_ms // 2)
            yield VisitorEventRow(
                self._client_id,
                session_id,
                _new_id(rng, "e", view.started_at + after),
                view_id,
                view.page.event,
                view.page.props,
                to_text(view.started_at + after),
            )

    def _fingerprint_rows(self, visitor: Visitor, seen_at: datetime) -> list[SeedRow]:
        if visitor.bot_reason:
            return []
        return [
            FingerprintRow(
                self._client_id,
                visitor.visitor_id,
                visitor.fingerprint,
                visitor.visits,
                int(bool(visitor.vpn_reason)),
                visitor.vpn_reason or None,
                visitor.first_seen_at,
                to_text(seen_at),
            )
        ]

    def _thank(self, visitor: Visitor, told: Appearance, ends: datetime) -> None:
        """The page after the form, which the session holds and the lead's visit does not."""
        url = f"https://{visitor.project.host}{market.THANKS.path}"
        view = _View(market.THANKS, url, ends + timedelta(seconds=1), 6_000, 100, 0)
        told.rows.extend(self._view_rows(told.visit.session_id, view, told.page_url))
        (session,) = (row for row in told.rows if isinstance(row, SessionRow))
        views = [row for row in told.rows if isinstance(row, PageViewRow)]
        told.rows[told.rows.index(session)] = session._replace(
            duration_seconds=sum(row.duration_ms for row in views) // 1000,
            max_scroll_percent=max(row.scroll_percent for row in views),
            pages_visited=len(views),
            last_seen_at=to_text(ends + timedelta(seconds=7)),
        )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _new_id(rng: Random, prefix: str, moment: datetime) -> str:
    """As the scripts make them: time first, then chance."""
    return f"{prefix}{_milliseconds(moment):011x}{rng.getrandbits(48):012x}"


def _spread(rng: Random, total: int, parts: int) -> list[int]:
    shares = [0] * parts
    for _ in range(total):
        shares[rng.randrange(parts)] += 1
    return shares
