"""The short form of `make chaos`: half of its faults, one after the other, under a moderate load."""

from __future__ import annotations

import os
import secrets

import pytest

from tests.chaos.house import Backend
from tests.chaos.run import SHORT, run

SEED = int(os.environ.get("LOUNGE_TEST_SEED", "0")) or secrets.randbelow(10**6)
PLANNED: dict[Backend, int] = {"sqlite": 10, "postgres": 12}
"""At least; two more on SQLite where there is a C compiler."""
COMMANDS = 200


@pytest.mark.timeout(600)
@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgres", marks=pytest.mark.long)])
async def test_whatever_fails_under_load_nothing_that_was_acked_is_lost_doubled_or_moved(
    backend: Backend,
) -> None:
    outcome = await run(backend, seed=SEED, short=True, load=SHORT)
    assert outcome.code == 0, f"{outcome.said}\n\n{outcome.page}"
    figures = outcome.verdict
    assert figures["verdict"] == "pass"
    assert len(outcome.happened) == figures["planned"] >= PLANNED[backend]
    assert figures["acked"] >= COMMANDS
    assert figures["events"]["recv"] > figures["entries"] >= COMMANDS
