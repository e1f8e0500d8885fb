"""A process of its own that asks `/healthz` all the time: how long it waits is the event loop's lag."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import select
import sys
import time
from typing import Self

from tests.bench.served import ROOT

_EVERY_SECONDS = 0.05


class Probe:
    """Asks within the block; `answers` are there after it: (monotonic seconds, seconds taken)."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.answers: list[tuple[float, float]] = []

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.scale.probe", str(self._port)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        told, _nothing = await self._process.communicate(b"")  # which closes its stdin
        pairs = (line.split() for line in told.decode().splitlines())
        self.answers = [(float(at), float(taken)) for at, taken in pairs]


def main() -> None:
    """Until stdin ends; what was measured is said at the end, so that saying it costs nothing."""
    answers = []
    while not select.select([sys.stdin], [], [], _EVERY_SECONDS)[0]:
        began = time.monotonic()
        with contextlib.suppress(OSError, http.client.HTTPException):
            _ask(int(sys.argv[1]))
            answers.append((began, time.monotonic() - began))
    with contextlib.suppress(BrokenPipeError):  # nobody wants to know any more
        print("\n".join(f"{at} {taken}" for at, taken in answers), flush=True)


def _ask(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    finally:
        connection.close()


if __name__ == "__main__":
    main()
