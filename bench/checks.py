"""What is asked at each request: the user agent's verdict, and the rate limiter."""

from __future__ import annotations

import ipaddress
import time
import tracemalloc
from collections.abc import Callable, Sequence
from statistics import median

from server.domain import user_agent
from server.web.rate_limits import MAX_BUCKETS, Policy, RateLimiter, network_of

ROUNDS = 5
ADDRESSES = 1_000_000
AGENTS = tuple(
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    f" Chrome/{major}.0.{build}.0 Safari/537.36"
    for major in range(100, 140)
    for build in range(25)
)


def run() -> None:
    """Print costs per call and the limiter's memory."""
    _agents()
    _limiter()


def _agents() -> None:
    user_agent.parse(AGENTS[0])
    first = _seconds(lambda: [user_agent.parse.__wrapped__(agent) for agent in AGENTS])
    for agent in AGENTS:
        user_agent.bot_reason(agent, automation=False)
    again = _seconds(lambda: [user_agent.bot_reason(agent, automation=False) for agent in AGENTS])
    print("\nuser agents: browser, system, device and crawler check")
    print(f"  a new agent    {len(AGENTS) / first:12,.0f} checks/s")
    print(f"  a known agent  {len(AGENTS) / again:12,.0f} checks/s   ({first / again:,.0f} x)")


def _limiter() -> None:
    addresses = [str(ipaddress.IPv4Address(number)) for number in range(ADDRESSES)]
    counts: dict[str, int] = {}

    def plain(address: str) -> None:
        counts[address] = counts.get(address, 0) + 1

    def limited(address: str) -> None:
        limiter.take(Policy.ADDRESS, network_of(address))

    few = addresses[:1000] * 100
    baseline = _per_call(plain, few)
    limiter = RateLimiter({Policy.ADDRESS: 1_000_000}, time.monotonic)
    repeated = _per_call(limited, few)
    tracemalloc.start()
    limiter = RateLimiter({Policy.ADDRESS: 1_000_000}, time.monotonic)
    for address in addresses:
        limited(address)
    held, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    limiter = RateLimiter({Policy.ADDRESS: 1_000_000}, time.monotonic)
    distinct = _per_call(limited, addresses)
    print("\nrate limiter, one request counted")
    print(f"  bare dictionary         {baseline * 1e6:6.2f} µs")
    print(f"  1,000 addresses         {repeated * 1e6:6.2f} µs   ({repeated / baseline:.0f} x)")
    print(f"  1,000,000 addresses     {distinct * 1e6:6.2f} µs   ({distinct / baseline:.0f} x)")
    print(
        f"  memory after 1,000,000 addresses: {held / 2**20:.1f} MB"
        f" ({MAX_BUCKETS:,} are remembered at most)"
    )


def _per_call(call: Callable[[str], None], arguments: Sequence[str]) -> float:
    return _seconds(lambda: list(map(call, arguments))) / len(arguments)


def _seconds(work: Callable[[], object]) -> float:
    """The median of a few rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times)
