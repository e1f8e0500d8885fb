"""How a fault is seen to have happened, and what several of them do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil

from tests.chaos.house import House
from tests.chaos.server import Server

Act = Callable[[House], Awaitable[str]]
"""Brings a fault about, heals it, and returns its evidence."""
PATIENCE_SECONDS = 40.0


class NotFired(Exception):  # noqa: N818 - a reason, for the report
    """It cannot be shown that the fault happened."""


async def succeeded(server: Server, worker: psutil.Process | None, pid: int = 0) -> str:
    """Waits until that worker is gone and another one is at its place."""
    pid = worker.pid if worker else pid
    await until(lambda: worker_of(server) not in (None, pid), f"worker {pid} has no follower")
    return f"worker {pid} is gone, {worker_of(server)} follows"


def worker_of(server: Server) -> int | None:
    with contextlib.suppress(ValueError, psutil.NoSuchProcess):
        return int(server.worker().pid)
    return None


@contextlib.asynccontextmanager
async def suspended(processes: list[psutil.Process], seconds: float) -> AsyncIterator[None]:
    for each in processes:
        each.suspend()
    try:
        await until(
            lambda: processes[0].status() == psutil.STATUS_STOPPED, "it did not stand still"
        )
        await asyncio.sleep(seconds)
        yield
    finally:
        for each in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.resume()


async def until(is_so: Callable[[], bool], otherwise: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise NotFired(otherwise) from None


async def written(
    house: House,
    since: dict[Path, int],
    is_so: Callable[[dict[str, Any]], bool],
    enough: int,
    what: str,
) -> str:
    """Waits until the clients have written enough such lines."""
    count = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (count := await house.wrote(is_so, since)) < enough:
                await asyncio.sleep(0.25)
    if count < enough:
        raise NotFired(f"the clients wrote of {count} {what}")
    return f"the clients wrote of {count} {what}"
