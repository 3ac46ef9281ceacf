"""Streams of a libSQL server that reads use one after the other, for each new one costs.

To open one, sqld reads the schema: four times what a look-up takes.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from server.store import hrana_messages as messages
from server.store.contract import StoreError, UnavailableError
from server.store.hrana_messages import Batch, BatchResult

STREAM_SECONDS = 5.0
"""How long a stream is used. By HTTP sqld ends one that rests for 10 s; one of a replica stays with
the old file when the replica takes its primary's anew."""

Answers = list[BatchResult | StoreError]
S = TypeVar("S")


class KeptStreams(Generic[S]):
    """As many as there are reads at once; each is opened, asked and ended by the functions given.

    Only reads go here: a write that broke may leave its stream in a transaction. Every one that is
    left is ended, for until then it is one of the 128 connections that sqld has.
    """

    def __init__(
        self,
        opened: Callable[[], S],
        ask: Callable[[S, Sequence[Batch]], Awaitable[Answers]],
        end: Callable[[S], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._opened = opened
        self._ask = ask
        self._end = end
        self._now = now
        self._idle: list[tuple[S, float]] = []

    async def run(self, batches: Sequence[Batch]) -> Answers:
        """The answers of a stream; raises UnavailableError where a new one may tell more."""
        stream, opened_at = self._taken()
        try:
            answers = await self._ask(stream, batches)
            _refuse_what_another_may_mend(batches, answers)
        except StoreError:
            # A restart has broken all of them.
            self.leave()
            raise
        self._idle.append((stream, opened_at))
        return answers

    def leave(self) -> None:
        """End all that nobody is using."""
        idle, self._idle = self._idle, []
        for stream, _opened_at in idle:
            self._end(stream)

    def _taken(self) -> tuple[S, float]:
        """One that was opened lately, else a new one."""
        now = self._now()
        while self._idle:
            stream, opened_at = self._idle.pop()
            if now - opened_at < STREAM_SECONDS:
                return stream, opened_at
            self._end(stream)
        return self._opened(), now


def _refuse_what_another_may_mend(batches: Sequence[Batch], answers: Answers) -> None:
    for batch, answer in zip(batches, answers, strict=True):
        if isinstance(answer, UnavailableError):
            raise answer
        if not isinstance(answer, StoreError) and messages.is_behind(batch, answer):
            raise UnavailableError("the server has not seen a write that it committed")
