"""Enquiries: who sends what from where, and the lead that the scorer makes of it.

Nothing is invented in the scores: factors and signals are those of the server.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from random import Random

from server.domain import engagement, suspicion, user_agent
from server.domain.attribution import Attribution
from server.domain.contact import Phone, parse_phone
from server.domain.directory import Client
from server.domain.engagement import NO_ENGAGEMENT, Engagement
from server.domain.ids import LeadId, VisitorId
from server.domain.lead import WEBSITE, Channel, Lead, LeadDraft
from server.domain.suspicion import Evidence, Suspicion
from server.domain.visitor import MatchKind, Peer
from server.factors import FACTORS
from server.signals import SIGNALS
from server.usecases.demo_data import property as market
from server.usecases.demo_data.history import History
from server.usecases.demo_data.people import People, Person
from server.usecases.demo_data.visits import Appearance, Visitor

PARTNER = Peer("192.0.2.10", "", "Make/production")
PROGRAM_AGENT = "python-requests/2.32.3"
UNLISTED_ORIGIN = "https://copied-listing.example.org"


class Trouble(StrEnum):
    """What is wrong with an enquiry, if anything."""

    NONE = ""
    PROGRAM = "program"
    CAMPAIGN = "campaign"
    HASTY = "hasty"
    INVENTED = "invented"
    ROLE = "role"
    AGAIN = "again"
    UNLISTED = "unlisted"


TROUBLES = {
    Trouble.NONE: 850,
    Trouble.AGAIN: 40,
    Trouble.HASTY: 30,
    Trouble.PROGRAM: 26,
    Trouble.INVENTED: 24,
    Trouble.ROLE: 18,
    Trouble.UNLISTED: 12,
}
"""Weights; campaigns come in bursts of their own."""


@dataclass(frozen=True, slots=True)
class Enquiry:
    """An enquiry before it is told: `visitor` where there was a visit.

    `match` is how the visit is found; `ip` is set for enquiries that share an address.
    """

    moment: datetime
    channel: Channel
    trouble: Trouble = Trouble.NONE
    visitor: Visitor | None = None
    match: MatchKind = MatchKind.NONE
    ip: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """All that the transport would tell of an enquiry."""

    peer: Peer
    relayed: bool = False
    appearance: Appearance | None = field(default=None, repr=False)


class Enquiries:
    """Makes the leads of one client, in the order of their moments."""

    def __init__(self, rng: Random, people: People, client: Client, site_key: str) -> None:
        self._rng = rng
        self._people = people
        self._client = client
        self._site_key = site_key
        self._history = History()
        self._last: Person | None = None

    def person(self, enquiry: Enquiry) -> Person:
        """Who enquires: somebody new, or for a repeated enquiry the one before."""
        rng, visitor = self._rng, enquiry.visitor
        if enquiry.trouble is Trouble.AGAIN and self._last is not None:
            return self._last
        nation = visitor.nation if visitor else self._people.nation()
        person = self._people.person(
            nation, with_phone=rng.random() < 0.8 or enquiry.channel is Channel.API
        )
        if enquiry.trouble is Trouble.INVENTED:
            return replace(person, email="test@example", phone="12345")
        if enquiry.trouble is Trouble.ROLE:
            company = person.email.partition("@")[0].replace(".", "-")
            return replace(person, email=f"info@{company}.example.com")
        if enquiry.trouble is Trouble.NONE:
            self._last = person
        return person

    def lead(self, enquiry: Enquiry, appearance: Appearance | None) -> Lead:
        """The lead of a form or of a partner, scored."""
        person = self.person(enquiry)
        if enquiry.channel is Channel.API:
            return self.judged(
                _new_id(self._rng, "lead", enquiry.moment),
                enquiry,
                self._partner_draft(person, enquiry),
                Sender(PARTNER, relayed=True),
            )
        draft = self._form_draft(person, enquiry, appearance)
        sender = Sender(self._peer(enquiry), appearance=appearance)
        return self.judged(_new_id(self._rng, "lead", enquiry.moment), enquiry, draft, sender)

    def judged(self, lead_id: LeadId, enquiry: Enquiry, draft: LeadDraft, sender: Sender) -> Lead:
        """A draft as a lead, by the factors and signals of the server."""
        phone = parse_phone(draft.phone, self._client.default_region)
        evidence = self._evidence(enquiry, draft, phone, sender)
        own = enquiry.match is MatchKind.VISITOR_ID and sender.appearance
        return Lead(
            lead_id=lead_id,
            client_id=self._client.client_id,
            created_at=enquiry.moment,
            draft=draft,
            phone=phone,
            peer=sender.peer,
            engagement=_engagement(enquiry, sender.appearance),
            suspicion=_suspicion(evidence),
            vpn_suspected=evidence.vpn_suspected,
            attribution=draft.attribution.or_else(own.attribution if own else Attribution()),
            page_url=draft.page_url,
            idempotency_key=None,
            idempotency_hash=None,
        )

    def _evidence(
        self, enquiry: Enquiry, draft: LeadDraft, phone: Phone, sender: Sender
    ) -> Evidence:
        visitor, peer = enquiry.visitor, sender.peer
        past = self._history.of(draft, phone.e164, peer.ip, enquiry.moment)
        evidence = Evidence(
            session_matched=enquiry.match is not MatchKind.NONE,
            honeypot=draft.honeypot,
            time_to_submit_ms=draft.time_to_submit_ms,
            vpn_suspected=bool(visitor and visitor.vpn_reason),
            vpn_reason=visitor.vpn_reason if visitor else "",
            duplicates_in_24_h=past.duplicates,
            same_message_from_others_in_24_h=past.same_message_from_others,
            name=draft.full_name,
            email=draft.email,
            phone=draft.phone,
            phone_possible=phone.possible,
            phone_countries=phone.countries,
            message=draft.message,
        )
        if draft.channel is Channel.API or sender.relayed:
            return evidence
        return replace(
            evidence,
            leads_from_address_in_5_min=past.from_address + 1,
            country=peer.country,
            bot_reason=user_agent.bot_reason(peer.user_agent, automation=False, hosted=False),
            unlisted_origin=UNLISTED_ORIGIN if enquiry.trouble is Trouble.UNLISTED else None,
        )

    def _peer(self, enquiry: Enquiry) -> Peer:
        if enquiry.visitor is not None:
            return enquiry.visitor.peer
        nation = self._people.nation()
        agent = PROGRAM_AGENT if enquiry.trouble is Trouble.PROGRAM else PLAIN_AGENT
        return Peer(enquiry.ip or self._people.address(), nation.country, agent)

    def _partner_draft(self, person: Person, enquiry: Enquiry) -> LeadDraft:
        rng = self._rng
        source = rng.choices(list(market.PARTNERS), list(market.PARTNERS.values()))[0]
        project = rng.choices(market.PROJECTS, market.PROJECT_WEIGHTS)[0]
        campaigns = {"utm_source": source.lower(), "utm_campaign": "lead-ads"}
        messenger = source == "WhatsApp" and rng.random() < 0.7
        paid = Attribution(campaigns if source == "Facebook" else {})
        return LeadDraft(
            channel=enquiry.channel,
            lead_source=source,
            name=person.name,
            email="" if messenger else person.email,
            phone=person.phone,
            message=self._message(project) if rng.random() < 0.35 else "",
            project=project.name,
            attribution=paid,
            extra={"budget": rng.choice(market.BUDGETS), "home": rng.choice(market.HOMES)},
        )

    def _form_draft(
        self, person: Person, enquiry: Enquiry, appearance: Appearance | None
    ) -> LeadDraft:
        rng, visitor, trouble = self._rng, enquiry.visitor, enquiry.trouble
        chosen = rng.choices(market.PROJECTS, market.PROJECT_WEIGHTS)[0]
        project = visitor.project if visitor else chosen
        spam = trouble in (Trouble.PROGRAM, Trouble.CAMPAIGN)
        wanted = {"home": rng.choice(market.HOMES), "budget": rng.choice(market.BUDGETS)}
        return LeadDraft(
            channel=enquiry.channel,
            lead_source=WEBSITE,
            first_name=person.first_name,
            last_name=person.last_name,
            email=person.email,
            phone=person.phone,
            message=market.SPAM_MESSAGES[trouble is Trouble.CAMPAIGN]
            if spam
            else self._words(project),
            project=project.name,
            page_url=appearance.page_url if appearance else f"https://{project.host}/contact/",
            referrer=appearance.referrer if appearance else "",
            consent=True if visitor and visitor.consent else None,
            visitor_id=self._visitor_id(enquiry),
            site=self._site_key,
            honeypot="https://seo.example.org" if trouble is Trouble.PROGRAM else "",
            time_to_submit_ms=self._time_to_submit_ms(trouble),
            extra={} if spam else wanted,
        )

    def _visitor_id(self, enquiry: Enquiry) -> VisitorId | None:
        """An enquiry that is matched by address comes under an id that nobody tracked."""
        if enquiry.match is MatchKind.IP:
            return VisitorId(f"v{self._rng.getrandbits(92):023x}")
        return enquiry.visitor.visitor_id if enquiry.visitor else None

    def _time_to_submit_ms(self, trouble: Trouble) -> int:
        rng = self._rng
        if trouble in (Trouble.PROGRAM, Trouble.CAMPAIGN):
            return rng.randint(300, 1_900)
        return (
            rng.randint(2_100, 4_900) if trouble is Trouble.HASTY else rng.randint(14_000, 160_000)
        )

    def _words(self, project: market.Project) -> str:
        return self._message(project) if self._rng.random() < 0.7 else ""

    def _message(self, project: market.Project) -> str:
        rng = self._rng
        text = " ".join(rng.choice(part) for part in market.MESSAGE_PARTS)
        return text.format(
            project=project.name,
            town=project.town,
            home=rng.choice(market.HOMES).lower(),
            floor=rng.randint(1, 18),
            day=rng.randint(4, 28),
            hour=rng.randint(9, 19),
            budget=rng.randrange(250, 1500, 10),
        )


PLAIN_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"
"""Of people whose ad blocker stops the tracker."""


def _engagement(enquiry: Enquiry, appearance: Appearance | None) -> Engagement:
    if appearance is None or enquiry.match is MatchKind.NONE:
        return NO_ENGAGEMENT
    visit = appearance.visit
    return engagement.total([score(visit) for score in FACTORS], visit, enquiry.match)


def _suspicion(evidence: Evidence) -> Suspicion:
    return suspicion.total(signal(evidence) for signal in SIGNALS)


def _new_id(rng: Random, prefix: str, moment: datetime) -> LeadId:
    """As `domain.ids.new_id` makes them, by a chance that can be repeated."""
    return LeadId(f"{prefix}_{int(moment.timestamp() * 1000):011x}{rng.getrandbits(72):018x}")
