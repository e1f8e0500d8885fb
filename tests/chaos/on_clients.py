"""What happens to clients and their lines, and to doctors.

A fault returns its evidence; it raises NotFired when nothing shows that it happened.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

from lounge.office import open_office
from tests.chaos.evidence import (
    until,
    written,
)
from tests.chaos.house import House
from tests.chaos.proxy import Proxy


async def clients_stalled(house: House) -> str:
    """They read nothing."""
    for proxy in house.proxies:
        proxy.is_stalled = True
    try:
        await asyncio.sleep(6)
        await until(lambda: _waiting(house) > 0, "nothing was sent to whoever reads nothing")
        return f"{_waiting(house)} bytes lay unread"
    finally:
        for proxy in house.proxies:
            proxy.is_stalled = False


async def clients_slow(house: House) -> str:
    """1 KB/s each."""
    for proxy in house.proxies:
        proxy.bytes_per_second = 1024
    try:
        await asyncio.sleep(6)
        await until(lambda: _waiting(house) > 0, "nothing had to wait at 1 KB/s")
        return f"{_waiting(house)} bytes waited at 1 KB/s"
    finally:
        for proxy in house.proxies:
            proxy.bytes_per_second = None


async def clients_far(house: House) -> str:
    """300 ms there and back."""
    for proxy in house.proxies:
        proxy.late_seconds = 0.15
    try:
        await asyncio.sleep(5)
        await until(lambda: _late(house.proxies) > 0, "nothing came")
        return f"{_late(house.proxies)} chunks came 150 ms late"
    finally:
        for proxy in house.proxies:
            proxy.late_seconds = 0.0


async def clients_cut(house: House) -> str:
    """In the middle of a frame."""
    cut = [event for proxy in house.proxies for event in proxy.cut_next_frame()]
    await asyncio.sleep(1)
    await until(lambda: any(event.is_set() for event in cut), "no frame was under way")
    return f"{sum(event.is_set() for event in cut)} frames ended in their middle"


async def everybody_dropped(house: House) -> str:
    """All clients at once, and all come back."""
    before = house.journals()
    for crowd in house.crowds:
        crowd.signal(signal.SIGUSR2)
    return await written(house, before, lambda line: line["event"] == "close", len(before), "ends")


async def said_again(house: House) -> str:
    """Clients repeat themselves all along, on other connections too; the servers say that they did."""
    before = house.journals()
    return await written(house, before, lambda line: bool(line.get("dup")), 1, "repeated acks")


async def revoked(house: House) -> str:
    """Two doctors of the first crowd may not come in any more."""
    left = sorted(set(range(house.main)) - house.revoked)
    chosen, before = house.chance.sample(left, 2), house.journals()
    async with open_office(house.settings) as office:
        for number in chosen:
            visit = await office.doctors.by_token(house.tokens[number])
            assert visit
            await office.doctors.set_verified(visit.doctor.id, False)
            house.facts.note("revoked", client=f"main-{number:03}")
            house.revoked.add(number)
    lines = {path: at for path, at in before.items() if _is_of(path, chosen)}
    return await written(house, lines, _is_shut_out, len(chosen), "connections closed to them")


# -- what they are made of -----------------------------------------------------------------------


def _waiting(house: House) -> int:
    return sum(proxy.waiting for proxy in house.proxies)


def _late(proxies: list[Proxy]) -> int:
    return sum(proxy.late for proxy in proxies)


def _is_of(path: Path, numbers: list[int]) -> bool:
    return path.parent.name == "main" and path.stem in {f"client-{n:03}" for n in numbers}


def _is_shut_out(line: dict[str, Any]) -> bool:
    """At once, or when it came back: 403 is what a client writes that may not join."""
    return line["event"] == "close" and line["code"] in (4503, 401, 403)
