"""The attacks of tests/attacks/ on larger weeks and from several seeds; and what times alone give away."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.attacks import linking
from tests.attacks.cases import attacked
from tests.attacks.evenings import Plan, spent
from tests.attacks.linking import Verdict
from tests.scale.house import BUILD, Backend, Stores, stores
from tests.scale.report import Figure, Report, Table
from web.valkey import EmbeddedValkey

BACKENDS: tuple[Backend, ...] = ("sqlite", "postgres")
LONGEST_SECONDS = 1_800
SEEDS = (11, 12, 13)
POSTS = 10_000
TIMES = ("entry.at", "entry: order of rows", "frames: place")


async def run(backend: Backend) -> Report:
    """Weeks without any link but what the product wrote, then one in which doctors keep hours."""
    joined = Table(("seed", "attacks", "that beat chance", "strongest: right", "by chance"))
    for seed in SEEDS:
        verdicts = await _verdicts(backend, Plan(posts=POSTS, seed=seed))
        best = min(verdicts, key=lambda each: each.p)
        beaten = Figure(len(linking.beaten(verdicts)), "", 0)
        joined.add(str(seed), Figure(len(verdicts)), beaten, _share(best), _by_chance(best))
    hours = Table(("attack by time, half an hour in two rooms", "right", "by chance"))
    for each in await _verdicts(backend, Plan(posts=POSTS, seed=SEEDS[0], sessions=True)):
        if each.attack.startswith(TIMES) and "names" not in each.attack:
            hours.add(each.attack, _share(each), _by_chance(each))
    return Report("linkage", backend, (joined, hours), _NOTES)


async def _verdicts(backend: Backend, plan: Plan) -> list[Verdict]:
    async with (
        _house(backend) as (where, redis_url),
        _folder() as folder,
        spent(plan, folder, redis_url, **_urls(where)) as evidence,
    ):
        return await attacked(evidence)


@contextlib.asynccontextmanager
async def _house(backend: Backend) -> AsyncIterator[tuple[Stores, str]]:
    valkey = EmbeddedValkey()
    await valkey.start()
    try:
        async with stores(backend) as where:
            yield where, valkey.url
    finally:
        await valkey.stop()


@contextlib.asynccontextmanager
async def _folder() -> AsyncIterator[Path]:
    with TemporaryDirectory(dir=BUILD, prefix="week-") as name:
        yield Path(name)


def _urls(where: Stores) -> dict[str, str]:
    urls = {"database_url": where.lounge_url, "identity_url": where.identity_url}
    return {name: url for name, url in urls.items() if url}


def _share(verdict: Verdict) -> Figure:
    return Figure(100 * verdict.hits / max(1, verdict.tried), "%")


def _by_chance(verdict: Verdict) -> Figure:
    return Figure(100 * verdict.chance / max(1, verdict.tried), "%")


_NOTES = (
    f"200 doctors in eight rooms, {POSTS:,} posts with all three faces; see docs/anonymity.md.",
    "By chance: one in as many as have the same badge in the other room. What times give away is "
    "shown, not promised.",
)
