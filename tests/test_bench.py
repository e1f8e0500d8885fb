"""The load generator: built and run against a lounge. What it counts is right; nothing is timed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bench import generator
from tests.bench.figures import Figures, former, remember, table
from tests.bench.generator import Counts, Load, NoCompiler
from tests.bench.usage import Usage
from tests.missing import unavailable
from tests.support import House, open_house, until

PAIR = Load("pair", rooms=2, listeners=1, flight=3, seconds=1)
CROWD = Load("crowd", rooms=1, listeners=4, flight=2, seconds=1)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return generator.build(tmp_path_factory.mktemp("load"))
    except NoCompiler as reason:
        unavailable(str(reason))


@pytest.fixture
async def house(tmp_path: Path, redis_url: str) -> AsyncIterator[House]:
    async with open_house(tmp_path, redis_url, bench=True) as house:
        yield house


@pytest.fixture
async def tokens(house: House, tmp_path: Path) -> Path:
    file = tmp_path / "tokens"
    file.write_text("\n".join(await house.tokens(["ana", "ben"])))
    return file


@pytest.mark.parametrize("load", [PAIR, CROWD], ids=lambda load: load.name)
async def test_all_that_is_said_is_heard_by_every_socket_of_the_room(
    house: House, tokens: Path, program: Path, load: Load
) -> None:
    counts = await _counted(house, tokens, program, load)
    assert counts.opened == load.sockets
    assert counts.said > 0
    assert counts.faults(load) == ""
    assert house.lounge.hub.deliveries == counts.delivered


async def test_sockets_that_only_stand_there_say_nothing(
    house: House, tokens: Path, program: Path
) -> None:
    load = Load("idle", rooms=1, listeners=4)
    counts = await _counted(house, tokens, program, load)
    assert (counts.opened, counts.said, counts.faults(load)) == (5, 0, "")
    await until(lambda: not house.lounge.door.guests())


async def test_churning_sockets_come_again(house: House, tokens: Path, program: Path) -> None:
    load = Load("churn", rooms=1, listeners=4, seconds=1, churn=True)
    counts = await _counted(house, tokens, program, load)
    assert counts.opened > load.sockets
    assert counts.faults(load) == ""
    await until(lambda: not house.lounge.door.guests())


async def test_who_is_not_let_in_is_counted(house: House, program: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("nobody")
    counts = await _counted(house, tokens, program, CROWD)
    assert (counts.opened, counts.failed) == (0, CROWD.sockets)
    assert "failed 5 instead of 0" in counts.faults(CROWD)


def test_figures_are_kept_with_the_commit_and_shown_beside_the_next(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    load = Load("fan", rooms=1, listeners=9, flight=1)
    counts = Counts(10, 0, 0, 100, 100, 0, 1_000, 2.0, 1.0, 3.0, 4.0)
    usage = ((Usage(cpu, kb), Usage(cpu / 10, 0)) for cpu, kb in [(1, 0), (2, 300), (5, 400)])
    figures = Figures.of("lounge", load, generator.Run(counts, *usage))
    assert (figures.delivery_us, figures.publish_us) == (3_000, 30_000)
    assert (figures.valkey_publish_us, figures.socket_kb) == (3_000, 30)
    assert (figures.connect_us, figures.deliveries_a_second) == (100_000, 500)
    assert former(history) == []
    remember(history, [figures])
    assert former(history) == [figures]
    assert '"commit": "' in history.read_text()
    assert table([figures], former(history)).split()[-1] == "3,000"


async def _counted(house: House, tokens: Path, program: Path, load: Load) -> Counts:
    """In a thread: the house is served by this one's loop."""
    run = await asyncio.to_thread(
        generator.run, program, house.port, tokens, load, lambda: None, settle_seconds=0
    )
    return run.counts
