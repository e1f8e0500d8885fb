"""A crowd of a run: clients in a process of their own."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Sequence

from tests.chaos.house import House
from tests.chaos.journal import FACTS
from tests.processes import Running


class Crowd:
    """Clients in a process of their own, which begin to talk when everybody is live."""

    def __init__(
        self, house: House, name: str, tokens: Sequence[str], ports: Sequence[int]
    ) -> None:
        self._house = house
        self._tokens = tokens
        self._ports = ports
        self.name = name
        self.out = house.out / name
        self._running: Running | None = None

    async def come(self, rooms: int, rate: float, *more: str) -> None:
        """Returns when all of them are live."""
        self.out.mkdir()
        file = self._house.folder / f"tokens-{self.name}"
        file.write_text("\n".join(self._tokens))
        names = ",".join(f"bench/{n}" for n in range(1, rooms + 1))
        self._running = Running(
            *("-m", "tests.chaos.client", "--ports", ",".join(map(str, self._ports))),
            *("--tokens", str(file), "--rooms", names, "--rate", str(rate)),
            *("--seconds", "86400", "--out", str(self.out), "--seed", str(self._house.seed), *more),
        )
        self._house.crowds.append(self._running)
        await asyncio.to_thread(self._running.heard, "live")

    async def quiet(self) -> None:
        """Returns when nobody waits for an answer any more."""
        assert self._running
        self._running.signal(signal.SIGUSR1)
        await asyncio.to_thread(self._running.heard, "quiet")

    async def leave(self) -> None:
        """Everybody is gone; the journals lie beside those of the other crowds."""
        assert self._running
        self._running.signal(signal.SIGTERM)
        code = await asyncio.to_thread(self._running.exit_code)
        assert code == 0, self._running.said
        for journal in self.out.glob("client-*.jsonl"):
            number = journal.name.removeprefix("client-")
            journal.rename(self._house.out / f"client-{self.name}-{number}")
        with (self._house.out / FACTS).open("a") as facts:
            facts.write((self.out / FACTS).read_text())
        shutil.rmtree(self.out)

    def close(self) -> None:
        if self._running:
            self._running.close()
