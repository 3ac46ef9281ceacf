from server.domain.visit_timeline import EntryKind, TimelineEntry, stretches


def pages(count: int) -> list[TimelineEntry]:
    return [TimelineEntry(EntryKind.PAGE, f"{place:03}", f"page {place}") for place in range(count)]


def test_stretches_of_nothing_are_none() -> None:
    assert stretches([]) == []


def test_stretches_stand_in_the_order_of_time_and_of_kinds() -> None:
    sent = TimelineEntry(EntryKind.SUBMISSION, "001")
    opened = TimelineEntry(EntryKind.EVENT, "001", "opened")
    (whole,) = stretches([sent, opened, *reversed(pages(3))])
    assert [one.title for one in whole.entries] == ["page 0", "page 1", "opened", "", "page 2"]
    assert not whole.folded


def test_stretches_of_a_long_visit_fold_all_but_both_ends() -> None:
    shape = [(len(one.entries), one.folded) for one in stretches(pages(40))]
    assert shape == [(3, False), (34, True), (3, False)]


def test_stretches_keep_the_submission_and_what_is_beside_it_in_sight() -> None:
    found = stretches([*pages(40), TimelineEntry(EntryKind.SUBMISSION, "020")])
    assert [(len(one.entries), one.folded) for one in found] == [
        (3, False),
        (15, True),
        (7, False),
        (13, True),
        (3, False),
    ]
    assert found[2].entries[3].kind is EntryKind.SUBMISSION


def test_stretches_do_not_fold_what_is_not_worth_a_click() -> None:
    assert [one.folded for one in stretches(pages(8))] == [False]
    assert [one.folded for one in stretches(pages(9))] == [False, True, False]
