"""Rate limits per address, key and form: token buckets in a bounded table, one server's own.

The algorithm is GCRA: of each bucket one number is kept, the time at which it is full again.
Headers: draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from server.domain.errors import RateLimitedError

WINDOW_SECONDS = 60
MAX_BUCKETS = 200_000
"""Remembered at most, in two generations; beyond it the older one is forgotten, so that strangers
with many addresses cost memory no more, and open the limit for others at worst."""


class Policy(StrEnum):
    """What is counted: an address without a key, a key, a client's form."""

    ADDRESS = "address"
    KEY = "key"
    FORM = "form"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a bucket: requests, and seconds until it is full again."""

    policy: Policy
    quota: int
    remaining: int
    full_in_seconds: int

    def headers(self) -> dict[str, str]:
        """The `RateLimit` headers."""
        return {
            "ratelimit-policy": f'"{self.policy}";q={self.quota};w={WINDOW_SECONDS}',
            "ratelimit": f'"{self.policy}";r={self.remaining};t={self.full_in_seconds}',
        }


class RateLimiter:
    """Counts against `quotas` a minute; a policy without a quota is never limited."""

    def __init__(self, quotas: Mapping[Policy, int], clock: Callable[[], float]) -> None:
        self._quotas = quotas
        self._clock = clock
        self._full_at: dict[int, float] = {}
        self._older: dict[int, float] = {}
        self._turned_at = clock()

    def take(self, policy: Policy, who: str, count: int = 1) -> Allowance | None:
        """Count `count` requests of somebody; None where nothing is limited.

        Raises RateLimitedError when the bucket holds fewer; then nothing is counted.
        """
        quota = self._quotas.get(policy)
        if quota is None:
            return None
        now, bucket = self._clock(), hash((policy, who))
        self._turn(now)
        before = max(now, self._full_at.get(bucket) or self._older.get(bucket, 0.0))
        full_at = before + count * WINDOW_SECONDS / quota
        excess = full_at - now - WINDOW_SECONDS
        if excess > 1e-6:
            none_left = Allowance(policy, quota, 0, math.ceil(before - now))
            raise RateLimitedError(policy, quota, math.ceil(excess), none_left.headers())
        self._full_at[bucket] = full_at
        return Allowance(
            policy, quota, int(1e-6 - excess * quota / WINDOW_SECONDS), math.ceil(full_at - now)
        )

    def _turn(self, now: float) -> None:
        """Begin a new generation: after a whole window the older buckets are all full."""
        if now - self._turned_at < WINDOW_SECONDS and len(self._full_at) < MAX_BUCKETS // 2:
            return
        self._older, self._full_at = self._full_at, {}
        self._turned_at = now


def network_of(ip: str) -> str:
    """Whom an address counts for: itself, or the /64 that one customer holds in IPv6."""
    if ":" not in ip:
        return ip
    return str(ipaddress.IPv6Network((ip, 64), strict=False))


def tightest(allowances: Iterable[Allowance | None]) -> dict[str, str]:
    """The headers of the limit that is nearest, none where nothing is limited."""
    known = [allowance for allowance in allowances if allowance is not None]
    if not known:
        return {}
    return min(known, key=lambda one: one.remaining / one.quota).headers()
