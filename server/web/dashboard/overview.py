"""What marketing works: seven figures, one chart, and tables by source, page and campaign."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from starlette.responses import Response
from starlette.routing import BaseRoute

from server.domain.days import span_of, zone_of
from server.domain.periods import Period, Stretch
from server.store import overview
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

_HOUR = timedelta(hours=1)


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
            tiles=await reading.tiles(),
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

    async def tiles(self) -> list[figures.Tile]:
        """The figures, compared if asked for."""
        query = self._query
        before = await self._totals(query.earlier) if query.is_compared else None
        now = await self._totals(query.stretch)
        return figures.tiles(now, before, is_part=query.period is Period.TODAY)

    async def points(self) -> list[figures.Point]:
        """The chart's steps: hours of a single day, else days, weeks or months."""
        query = self._query
        hours = query.stretch.days == 1 and query.figure not in MEASURES
        read = self._by_hour if hours else self._by_step
        names, now = await read(query.stretch)
        before = (await read(query.earlier))[1] if query.is_compared else []
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
