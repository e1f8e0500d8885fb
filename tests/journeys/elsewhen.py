"""`lounge serve` at another time, which is moved while it is open: `python -m tests.journeys.elsewhen PORT`.

The file `$ELSEWHEN` holds by how many ms its workers are ahead of the machine. Monotonic clocks, by which
loops wait, are as they are.
"""

from __future__ import annotations

import mmap
import os
import sys
import time
from pathlib import Path

from lounge.settings import Settings, from_environment
from web import app
from web.server import serve

_BYTES = 8


class Elsewhen:
    """The time of whoever shares this file."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_BYTES))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _BYTES)
        self._real = time.time_ns

    def goes_to(self, at_ms: int) -> None:
        """From now on it is that time, and goes on."""
        ahead = at_ms - self._real() // 1_000_000
        self._shared[:] = ahead.to_bytes(_BYTES, sys.byteorder, signed=True)

    def ns(self) -> int:
        ahead = int.from_bytes(self._shared[:], sys.byteorder, signed=True)
        return self._real() + ahead * 1_000_000

    def seconds(self) -> float:
        return self.ns() / 1e9


def build(settings: Settings) -> app.Application:
    """The application as it always is, at that time."""
    there = Elsewhen(Path(os.environ["ELSEWHEN"]))
    time.time_ns, time.time = there.ns, there.seconds
    return app.build(settings)


if __name__ == "__main__":
    application = "tests.journeys.elsewhen:build"
    sys.exit(serve(from_environment(), port=int(sys.argv[1]), application=application))
