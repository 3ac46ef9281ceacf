"""Requests that come twice within 100 ms: the second waits for the first one's answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

REPEAT_SECONDS = 0.1
"""A browser or proxy that sends the same body again so soon sends the same request again."""

MAX_ENTRIES = 20_000
"""Requests remembered at most; beyond it the oldest are forgotten."""

Answer = TypeVar("Answer")
Respond = Callable[[Answer], None]


class _Entry(Generic[Answer]):
    """A request on its way, then its answer."""

    __slots__ = ("answer", "came_at", "others")

    def __init__(self, came_at: float) -> None:
        self.came_at = came_at
        self.answer: Answer | None = None
        self.others: list[Respond[Answer]] = []


class Repeats(Generic[Answer]):
    """What came in the last 100 ms, by sender and body. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[tuple[str, bytes], _Entry[Answer]] = {}

    def first(self, key: tuple[str, bytes], repeated: Respond[Answer]) -> Respond[Answer] | None:
        """Whether a request is new: where its answer must be told, or None for a repeat.

        A repeat is answered through `repeated` with what the first one got, once that is known:
        nobody hears of a commit before it is made.
        """
        now = self._clock()
        self._forget(now - REPEAT_SECONDS)
        entry = self._entries.get(key)
        if entry is not None and entry.came_at > now - REPEAT_SECONDS:
            if entry.answer is None:
                entry.others.append(repeated)
            else:
                repeated(entry.answer)
            return None
        entry = self._entries[key] = _Entry(now)

        def answered(answer: Answer) -> None:
            entry.answer = answer
            if isinstance(answer, Exception) and self._entries.get(key) is entry:
                del self._entries[key]  # what failed may be tried again at once
            for other in entry.others:
                other(answer)
            entry.others.clear()

        return answered

    def _forget(self, before: float) -> None:
        """Drop the oldest while they are too old, or too many."""
        while self._entries:
            key = next(iter(self._entries))
            if self._entries[key].came_at > before and len(self._entries) < MAX_ENTRIES:
                return
            del self._entries[key]
