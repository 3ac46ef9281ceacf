"""The preview's counts, made by bands in the store, against judging every result by itself."""

import random

import pytest

from server.domain.directory import FIRST_CLIENT
from server.domain.ids import ClientId
from server.domain.qualification import LeadScoringConfig, Rotator
from server.store.contract import Statement
from server.store.file import FileStore
from server.usecases.preview_settings import preview

_ADD = """
INSERT INTO leadscoring_results
  (client_id, email, p_fin_model, p_show_model, created_at, updated_at)
VALUES (?, ?, ?, ?, '', '')"""

AT_THRESHOLDS = (0.0, 0.1 + 0.2, 0.3, 0.35, 0.6, 0.8, 0.9, 1.0)
CONFIGS = (
    LeadScoringConfig(),
    LeadScoringConfig(a_rotator_fin=0.9, b_rotator_show=0.1 + 0.2, fb_capi_fin=0.35),
    LeadScoringConfig(fb_capi_fin=0, fb_capi_show=0, b_rotator_fin=0, b_rotator_show=0),
    LeadScoringConfig(a_rotator_fin=1, a_rotator_show=1, fb_capi_fin=1, c_rotator_fin=0.6),
)


Person = tuple[str, float, float]


def _people(count: int) -> list[Person]:
    """Scores anywhere and exactly at thresholds."""
    dice = random.Random(7)  # noqa: S311 # the same people in every run

    def score() -> float:
        return dice.choice((dice.choice(AT_THRESHOLDS), dice.random()))

    return [(f"p{number}@example.com", score(), score()) for number in range(count)]


def _judged(person: Person, config: LeadScoringConfig) -> tuple[Rotator, bool]:
    _email, p_fin, p_show = person
    return config.rotator(p_fin, p_show), config.fires(p_fin, p_show)


@pytest.mark.parametrize("after", CONFIGS)
@pytest.mark.parametrize("before", CONFIGS)
async def test_preview_counts_and_names_what_judging_each_result_would(
    store: FileStore, before: LeadScoringConfig, after: LeadScoringConfig
) -> None:
    people = _people(200)
    others = Statement(_ADD, (2, "other@example.com", 1.0, 1.0))
    await store.write([*(Statement(_ADD, (1, *person)) for person in people), others])

    found = await preview(store, FIRST_CLIENT, before, after)

    judged = [_judged(one, before) + _judged(one, after) for one in people]
    assert found.total == len(people)
    assert found.moved == sum(old is not new for old, _, new, _ in judged)
    assert found.events_before == sum(fired for _, fired, _, _ in judged)
    assert found.events_after == sum(fires for _, _, _, fires in judged)
    pairs = zip(people, judged, strict=True)
    changed = [email for (email, _, _), verdict in pairs if verdict[:2] != verdict[2:]]
    assert [lead.email for lead in found.leads] == changed[::-1][:10]


async def test_preview_of_a_client_without_results_is_empty(store: FileStore) -> None:
    found = await preview(store, ClientId(5), CONFIGS[0], CONFIGS[1])
    assert (found.total, found.moved, found.leads) == (0, 0, ())
