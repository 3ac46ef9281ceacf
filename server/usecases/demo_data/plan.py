"""The plan of demonstration data: who comes when, and which of them enquire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from server.domain.lead import Channel
from server.domain.visitor import MatchKind
from server.usecases.demo_data.enquiries import TROUBLES, Enquiry, Trouble
from server.usecases.demo_data.people import People
from server.usecases.demo_data.rhythm import Rhythm
from server.usecases.demo_data.visits import Visitor, Visits

_NEWEST = 6
_NEWEST_GAP_SECONDS = (25, 600)
_BURST, _BURST_SHARE = 7, 0.0012
_BURST_GAP_SECONDS = 30
_RETURN_DAYS = 4.0
_LEAST_GAP_HOURS = 3.0


class _Way(NamedTuple):
    """A way in which enquiries come."""

    channel: Channel
    match: MatchKind


_WAYS = {
    _Way(Channel.FORM, MatchKind.VISITOR_ID): 58,
    _Way(Channel.FORM, MatchKind.IP): 3,
    _Way(Channel.FORM, MatchKind.NONE): 4,
    _Way(Channel.API, MatchKind.NONE): 25,
    _Way(Channel.TYPEFORM, MatchKind.VISITOR_ID): 7,
    _Way(Channel.TYPEFORM, MatchKind.NONE): 3,
}


@dataclass(frozen=True, slots=True)
class Slot:
    """A visit, an enquiry, or a visit that ends in an enquiry at its moment."""

    moment: datetime
    visitor: Visitor | None
    enquiry: Enquiry | None = None


class Plan:
    """Plans `leads` enquiries and the visits around them over the days of a rhythm."""

    def __init__(self, rng: Random, rhythm: Rhythm, people: People, visits: Visits) -> None:
        self._rng = rng
        self._rhythm = rhythm
        self._people = people
        self._visits = visits
        self._days: list[list[Slot]] = [[] for _ in rhythm.shares]
        self._tracked = 0

    def enquire(self, leads: int, now: datetime) -> None:
        """Plan the enquiries, the newest of them a few minutes before `now`."""
        newest = list(self._newest(min(leads, _NEWEST), now))
        moments = sorted(self._rhythm.moment() for _ in range(leads - len(newest)))
        while moments:
            moment = moments.pop()
            if len(moments) >= _BURST and self._rng.random() < _BURST_SHARE:
                del moments[1 - _BURST :]
                self._burst(moment)
            else:
                self._enquiry(moment)
        for moment in newest:
            self._enquiry(moment)

    def days(self, now: datetime, conversion: float) -> Iterator[list[Slot]]:
        """Day by day the slots in their order, with those who only look.

        Of all visitors the share `conversion`, from above 0 to 1, leave a lead.
        """
        lookers, due, made = self._tracked / conversion - self._tracked, 0.0, 0
        for day, share in enumerate(self._rhythm.shares):
            due += lookers * share
            while made < round(due):
                self._look(self._rhythm.moment_on(day), now)
                made += 1
            slots, self._days[day] = self._days[day], []
            yield sorted(slots, key=lambda slot: slot.moment)

    def _newest(self, count: int, now: datetime) -> Iterator[datetime]:
        moment = now
        for _ in range(count):
            moment -= timedelta(seconds=self._rng.randint(*_NEWEST_GAP_SECONDS))
            yield moment

    def _enquiry(self, moment: datetime) -> None:
        way = self._rng.choices(list(_WAYS), list(_WAYS.values()))[0]
        trouble = self._rng.choices(list(TROUBLES), list(TROUBLES.values()))[0]
        if way.channel is not Channel.FORM and trouble is not Trouble.AGAIN:
            trouble = Trouble.NONE
        if trouble is Trouble.PROGRAM or way.match is MatchKind.NONE:
            enquiry = Enquiry(moment, way.channel, trouble)
            self._put(Slot(moment, None, enquiry))
            return
        visitor = self._visits.visitor(moment, converts=True)
        if way.match is MatchKind.IP:
            visitor.peer = replace(visitor.peer, ip=self._people.address(shared=False))
        self._tracked += 1
        begins = moment
        for _ in range(self._rng.choice(visitor.mood.sessions) - 1):
            begins -= self._gap()
            self._put(Slot(begins, visitor))
        self._put(Slot(moment, visitor, Enquiry(moment, way.channel, trouble, visitor, way.match)))

    def _burst(self, moment: datetime) -> None:
        """A campaign: the same words under several names from one address within minutes."""
        address = self._people.address()
        for place in range(_BURST):
            at = moment - timedelta(seconds=place * _BURST_GAP_SECONDS)
            self._put(Slot(at, None, Enquiry(at, Channel.FORM, Trouble.CAMPAIGN, ip=address)))

    def _look(self, moment: datetime, now: datetime) -> None:
        visitor = self._visits.visitor(moment)
        self._put(Slot(moment, visitor))
        for _ in range(self._rng.choice(visitor.mood.sessions) - 1):
            moment += self._gap()
            if moment < now:
                self._put(Slot(moment, visitor))

    def _gap(self) -> timedelta:
        days = self._rng.expovariate(1 / _RETURN_DAYS)
        return timedelta(days=days, hours=_LEAST_GAP_HOURS)

    def _put(self, slot: Slot) -> None:
        if slot.moment >= self._rhythm.begins_at:
            self._days[self._rhythm.day_of(slot.moment)].append(slot)
        elif slot.enquiry is not None:
            self._days[0].append(slot)
