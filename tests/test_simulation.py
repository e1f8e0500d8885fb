"""A world in which everything fails, ten thousand times: the promises of the core hold in all of them."""

from __future__ import annotations

import pytest

from tests.simulation.run import Broken, many, one, some
from tests.simulation.verdict import LEAST, Tally

SEEDS = 10_000
STEPS = 200


pytestmark = pytest.mark.timeout(900)  # half a minute of two cores, but seldom ours alone


@pytest.fixture(scope="module")
def told() -> tuple[Tally, Broken | None]:
    return many(SEEDS, STEPS)


def test_whatever_happens_in_whatever_order_no_promise_is_broken(
    told: tuple[Tally, Broken | None],
) -> None:
    _, broken = told
    assert broken is None, str(broken)


def test_enough_went_wrong_for_that_to_mean_something(told: tuple[Tally, Broken | None]) -> None:
    tally, broken = told
    if broken is not None:
        pytest.skip("it ended early")
    scarce = {name: tally[name] for name, least in LEAST.items() if tally[name] < least}
    assert scarce == {}


def test_a_seed_tells_the_same_story_every_time() -> None:
    for seed in range(16):
        assert one(seed) == one(seed)
    assert some(0, 50) == some(0, 50)
