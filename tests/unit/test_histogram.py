import pytest

from server.domain.histogram import median


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([], None),
        ([(5, 1)], 5),
        ([(1, 1), (9, 1)], 5),
        ([(1, 2), (9, 1)], 1),
        ([(1, 1), (2, 1), (100, 5)], 100),
        ([(0, 3), (10, 3)], 5),
    ],
)
def test_median_is_that_of_the_values_written_out(
    counts: list[tuple[int, int]], expected: float | None
) -> None:
    assert median(counts) == expected
