from server.web.repeats import MAX_ENTRIES, REPEAT_SECONDS, Repeats

KEY = ("192.0.2.1", b"body")


class Desk:
    """Requests at a clock of its own; `told` holds what repeats were answered with."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.told: list[str | Exception] = []
        self.repeats: Repeats[str | Exception] = Repeats(lambda: self.now)

    def come(self, key: tuple[str, bytes] = KEY) -> object:
        """What a request is told: how to answer, or None for a repeat."""
        return self.repeats.first(key, self.told.append)

    def answered(self, answer: str | Exception, key: tuple[str, bytes] = KEY) -> None:
        """A first request that was answered at once."""
        answer_it = self.repeats.first(key, self.told.append)
        assert answer_it is not None
        answer_it(answer)


def test_repeat_while_the_first_is_on_its_way_waits_for_its_answer() -> None:
    desk = Desk()
    answer_it = desk.repeats.first(KEY, desk.told.append)
    assert desk.come() is None
    assert desk.told == []
    assert answer_it is not None
    answer_it("stored")
    assert desk.told == ["stored"]


def test_repeat_when_the_first_was_answered_gets_that_answer_at_once() -> None:
    desk = Desk()
    desk.answered("stored")
    assert desk.come() is None
    assert desk.told == ["stored"]


def test_repeat_when_the_first_failed_on_its_way_fails_too() -> None:
    desk, failure = Desk(), OSError("full")
    answer_it = desk.repeats.first(KEY, desk.told.append)
    desk.come()
    assert answer_it is not None
    answer_it(failure)
    assert desk.told == [failure]


def test_request_after_a_failure_is_new() -> None:
    desk = Desk()
    desk.answered(OSError("full"))
    assert desk.come() is not None


def test_request_after_100_ms_is_new() -> None:
    desk = Desk()
    desk.answered("stored")
    desk.now += REPEAT_SECONDS
    assert desk.come() is not None


def test_request_after_100_ms_while_the_first_still_waits_is_new_and_apart() -> None:
    desk = Desk()
    first = desk.repeats.first(KEY, desk.told.append)
    desk.now += REPEAT_SECONDS
    assert desk.come() is not None
    assert first is not None
    first(OSError("full"))
    assert desk.come() is None


def test_request_of_another_sender_or_body_is_new() -> None:
    desk = Desk()
    desk.answered("stored")
    assert desk.come(("192.0.2.2", b"body")) is not None
    assert desk.come(("192.0.2.1", b"other")) is not None


def test_repeats_when_very_many_come_at_once_forget_the_oldest() -> None:
    desk = Desk()
    for number in range(MAX_ENTRIES + 1):
        desk.answered("stored", ("192.0.2.1", b"%d" % number))
    assert desk.come(("192.0.2.1", b"0")) is not None
    assert desk.come(("192.0.2.1", b"%d" % MAX_ENTRIES)) is None
