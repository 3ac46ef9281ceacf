"""What every destination makes of a call that ended without an answer."""

from __future__ import annotations

from collections.abc import Awaitable

from server.destinations.egress import EgressError, PrivateTargetError, TargetRefusedError
from server.domain.delivery import Outcome, Verdict


async def outcome_of(sending: Awaitable[Outcome]) -> Outcome:
    """What sending ended in; raises nothing but CancelledError.

    A refused target needs a person and pauses, everything else may pass and is retried.
    """
    try:
        return await sending
    except PrivateTargetError as error:
        return pause(f"{error}; the setting ALLOW_PRIVATE_TARGETS allows it")
    except TargetRefusedError as error:
        return pause(str(error))
    except EgressError as error:
        return Outcome(Verdict.RETRY, error=str(error))
    except Exception as error:  # noqa: BLE001 # one odd delivery must not stop the worker
        return Outcome(Verdict.RETRY, error=f"sending failed: {type(error).__name__}")


def pause(reason: str) -> Outcome:
    """The destination must stand until someone has seen to it."""
    return Outcome(Verdict.PAUSE, error=reason)
