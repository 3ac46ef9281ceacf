"""What marketing works: seven figures, one chart, and tables by source, page and campaign."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain.days import span_of, span_until, zone_of
from server.domain.histogram import merged
from server.domain.periods import Stretch, is_alike
from server.store import overview, rollups
from server.store.contract import Store
from server.store.overview import Part, Sums
from server.web.dashboard import overview_figures as figures
from server.web.dashboard import overview_query
from server.web.dashboard.call import Call
from server.web.dashboard.overview_figures import MEASURES, Totals
from server.web.dashboard.overview_query import DIMENSIONS, PERIODS, OverviewQuery
from server.web.dashboard.parts import Parts

PATH = "/clients/{client_id}/overview"
FEW_ROWS, ALL_ROWS = 10, 500

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class OverviewPage:
    """One page; its whole state is in the address."""

    def __init__(self, parts: Parts) -> None:
        self._gate = parts.gate
        self._render = parts.renderer
        self._store = parts.store

    def routes(self) -> list[BaseRoute]:
        """One route."""
        return [self._gate.route(PATH, self.show)]

    async def show(self, call: Call) -> Response:
        """The overview of a client."""
        client_id = call.client.client_id
        zone = await overview.zone_name(self._store, client_id)
        today = call.now.astimezone(zone_of(zone)).date()
        query = overview_query.parse(call.query, today)
        reading = _Reading(self._store, call, zone, query)
        limit = ALL_ROWS if query.is_whole else FEW_ROWS
        parts = await overview.breakdown(self._store, client_id, query.by, query.stretch, limit + 1)
        points = await reading.points()
        tiles, alike_until = await reading.tiles()
        return self._render.page(
            call,
            "overview.html",
            422 if query.errors else 200,
            base=f"/clients/{client_id}",
            asked=query,
            periods=PERIODS,
            dimensions=DIMENSIONS,
            client_zone=zone,
            is_empty=not await overview.has_any(self._store, client_id),
            tiles=tiles,
            alike_until=alike_until,
            points=points,
            chart=figures.chart(query.figure, points, running=query.stretch.last == today),
            about=figures.FIGURES[query.figure],
            written=figures.written,
            rows=parts[:limit],
            has_more=len(parts) > limit,
            has_visits=any(part.sums.visitors for part in parts),
            bars=_bars,
            median_wait=_median_wait,
        )


class _Reading:
    """What one page reads of the store."""

    def __init__(self, store: Store, call: Call, zone: str, query: OverviewQuery) -> None:
        self._store = store
        self._client_id = call.client.client_id
        self._now = call.now
        self._zone = zone_of(zone)
        self._query = query
        self._days: dict[Stretch, dict[date, Sums]] = {}

    async def tiles(self) -> tuple[list[figures.Tile], datetime | None]:
        """The figures, compared if asked for; up to when what runs is compared with its like."""
        query = self._query
        now = await self._totals(query.stretch)
        if not query.is_compared:
            return figures.tiles(now, None), None
        local = self._now.astimezone(self._zone)
        if query.stretch.last != local.date():
            return figures.tiles(now, await self._totals(query.earlier)), None
        until = datetime.combine(query.earlier.last, local.time(), self._zone)
        if before := await self._totals_until(query.earlier, until):
            return figures.tiles(now, before), until
        return figures.tiles(now, await self._totals(query.earlier), is_part=True), None

    async def points(self) -> list[figures.Point]:
        """The chart's steps: hours of a single day, else days, weeks or months."""
        query = self._query
        hours = query.stretch.days == 1 and query.figure not in MEASURES
        by_hour = hours and await self._has_raw_rows(query.stretch)
        read = self._by_hour if by_hour else self._by_step
        names, now = await read(query.stretch)
        comparable = not by_hour or await self._has_raw_rows(query.earlier)
        before = (await read(query.earlier))[1] if query.is_compared and comparable else []
        return figures.points(query.figure, names, now, before)

    async def _totals(self, stretch: Stretch) -> Totals:
        sums = Sums()
        for one in (await self._by_day(stretch)).values():
            sums.join(one)
        scores, waits = [
            await overview.histogram(self._store, self._client_id, measure, stretch)
            for measure in ("score", "wait")
        ]
        return Totals(sums, scores, waits)

    async def _totals_until(self, stretch: Stretch, until: datetime) -> Totals | None:
        """As `_totals`, of the last day only what was up to a moment; None where none can tell."""
        if not is_alike(self._query.period, self._query.stretch, stretch):
            return None
        span = span_until(stretch.last, until.time(), self._zone)
        part = await overview.part_of_day(self._store, self._client_id, span)
        if part is None:
            return None
        whole = await self._totals(Stretch(stretch.first, stretch.last - _DAY))
        sums, scores, waits = part
        sums.join(whole.sums)
        return Totals(sums, merged(whole.scores, scores), merged(whole.waits, waits))

    async def _by_day(self, stretch: Stretch) -> dict[date, Sums]:
        """The counts of each day, read once for tiles and chart."""
        if stretch not in self._days:
            found = await overview.by_day(self._store, self._client_id, stretch)
            self._days[stretch] = found
        return self._days[stretch]

    async def _by_step(self, stretch: Stretch) -> tuple[list[str], list[Totals]]:
        step, figure = self._query.stretch.step, self._query.figure
        days = await self._by_day(stretch)
        measure = MEASURES.get(figure)
        shares = (
            await overview.histograms(self._store, self._client_id, measure, stretch, step)
            if measure
            else []
        )
        return figures.labels(stretch, step), figures.by_step(stretch, step, days, shares, figure)

    async def _has_raw_rows(self, stretch: Stretch) -> bool:
        span = span_of(stretch.first, stretch.last, self._zone)
        return await rollups.has_raw_rows(self._store, self._client_id, span)

    async def _by_hour(self, stretch: Stretch) -> tuple[list[str], list[Totals]]:
        span = span_of(stretch.first, stretch.last, self._zone)
        found = await overview.by_hour(self._store, self._client_id, span)
        count = round((span.end - span.start) / _HOUR)
        starts = [(span.start + hour * _HOUR).astimezone(self._zone) for hour in range(count)]
        begun = [hour for hour, start in enumerate(starts) if start <= self._now]
        hours = [Totals(found.get(hour, Sums())) for hour in begun]
        return [f"{start:%H:%M}" for start in starts], hours


def _bars(sums: Sums) -> list[tuple[str, float, float]]:
    """Label, left edge and width in percent of each part of a row's score distribution."""
    counts = {"cold": sums.cold, "warm": sums.warm, "hot": sums.hot, "very-hot": sums.very_hot}
    edges = [0.0]
    for count in counts.values():
        edges.append(edges[-1] + 100 * count / max(1, sums.tracked))
    return [
        (name, round(left, 2), round(right - left, 2))
        for name, (left, right) in zip(counts, pairwise(edges), strict=True)
        if right > left
    ]


def _median_wait(part: Part) -> str:
    return figures.median_wait(part.sums.contacted, part.contacted_within)
