import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.suspicion import SignalFinding, Suspicion, SuspicionLabel, label_of, total

# A busy machine makes examples slowly; that is no failure.
bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def finding(points: int, signal: str = "signal") -> SignalFinding:
    return SignalFinding(signal, points, "because")


@pytest.mark.parametrize(
    ("score", "label"),
    [
        (0, "Low"),
        (29, "Low"),
        (30, "Medium"),
        (31, "Medium"),
        (59, "Medium"),
        (60, "High"),
        (61, "High"),
        (100, "High"),
    ],
)
def test_label_at_each_edge_is_the_designs(score: int, label: str) -> None:
    assert label_of(score) == label


def test_total_when_nothing_fired_is_no_suspicion() -> None:
    nothing = Suspicion(0, SuspicionLabel.LOW, ())
    assert total([None, None]) == nothing
    assert total([]) == nothing


def test_total_adds_what_fired_and_keeps_its_order() -> None:
    vpn, phone = finding(15, "vpn"), finding(15, "phone")
    suspicion = total([None, vpn, None, phone])
    assert (suspicion.score, suspicion.label) == (30, "Medium")
    assert suspicion.findings == (vpn, phone)


@pytest.mark.parametrize(
    ("points", "score"), [([60, 39], 99), ([60, 40], 100), ([60, 41], 100), ([60, 40, 40], 100)]
)
def test_total_at_and_over_100_is_capped(points: list[int], score: int) -> None:
    suspicion = total(map(finding, points))
    assert suspicion.score == score
    assert len(suspicion.findings) == len(points)


@bounded
@given(st.lists(st.none() | st.builds(finding, st.integers(0, 60)), max_size=20))
def test_total_of_any_findings_stays_within_100_and_fits_its_label(
    findings: list[SignalFinding | None],
) -> None:
    suspicion = total(findings)
    assert 0 <= suspicion.score <= 100
    assert suspicion.label == label_of(suspicion.score)
    assert None not in suspicion.findings
