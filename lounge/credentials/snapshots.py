"""Importing a register: beside a running lounge, in little memory, and at once for whoever reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from lounge.clock import now_ms
from lounge.credentials.rows import Rows, pieces
from storage import applications, registers
from storage.database import Database, Locked
from storage.registers import Row, Snapshot

RUN_ROWS = 250_000  # sorted in memory at once; a look-up asks each run
PIECE_ROWS = 5_000  # written in one transaction: some ten milliseconds of the writer's lock
BREATH_SECONDS = 0.025  # longer than any writer's own pause between two looks at the lock
SMALLEST_SHARE = 0.5
MOST_TRIES = 6


class ImportFault(Exception):  # noqa: N818 - said to the operator as it stands
    """A register was not imported, and why; look-ups read what they read before."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of it: rows kept, rows broken, and rows of older snapshots that were cleared."""

    entries: int
    broken: int
    cleared: int


@dataclass(frozen=True, slots=True)
class Telling:
    """Whoever watches: `broken` gets line and reason of each, `read` the bytes and rows so far."""

    broken: Callable[[int, str], None]
    read: Callable[[int, int], None]
    clearing: Callable[[int], None]


class Import:
    """One import of one register. Whom it licenses is examined again after it.

    May be repeated after a fault: what it left is cleared by the next.
    """

    def __init__(
        self,
        identity: Database,
        rows: Rows,
        telling: Telling,
        *,
        smaller: bool = False,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`smaller`: the register really has shrunk to less than half."""
        self._identity = identity
        self._rows = rows
        self._telling = telling
        self._smaller = smaller
        self._clock = clock
        self._broken = 0

    async def run(self) -> Imported:
        """All rows, then the swap, then the clearing of the old. Raises ImportFault, LayoutFault,
        StorageError."""
        register = self._rows.layout.register
        async with self._identity.writing() as connection:
            snapshot = await registers.begin(connection, register, self._clock())
        if snapshot is None:
            raise ImportFault(f"another import of {register} is going on, or ended a minute ago")
        try:
            await self._fill(snapshot)
            await self._refuse_a_stump(register)
        except BaseException:
            async with self._identity.writing() as connection:
                await registers.abandon(connection, snapshot)
            raise
        async with self._identity.writing() as connection:
            await registers.make_current(connection, snapshot)
            await applications.ask_anew_of_body(connection, register, self._clock())
        return Imported(self._rows.taken, self._broken, await self._clear())

    async def _fill(self, snapshot: int) -> None:
        """While one run is written the next is read."""
        run, reading = 0, self._read()
        while rows := await reading:
            reading = self._read()
            try:
                await self._write(snapshot, run, rows)
            except BaseException:
                await asyncio.gather(reading, return_exceptions=True)
                raise
            run += 1

    def _read(self) -> asyncio.Task[list[Row]]:
        return asyncio.create_task(asyncio.to_thread(self._rows.run, RUN_ROWS))

    async def _write(self, snapshot: int, run: int, rows: list[Row]) -> None:
        for piece in pieces(rows, PIECE_ROWS):
            await self._append(snapshot, run, piece)
            self._tell()
            await asyncio.sleep(BREATH_SECONDS)

    async def _append(self, snapshot: int, run: int, piece: list[Row]) -> None:
        """An import of minutes does not end because somebody else wrote for some seconds."""
        for left in reversed(range(MOST_TRIES)):
            try:
                async with self._identity.writing() as connection:
                    return await registers.append(connection, snapshot, run, piece, self._clock())
            except Locked:
                if not left:
                    raise

    def _tell(self) -> None:
        self._telling.read(self._rows.read_bytes, self._rows.taken)
        while self._rows.broken:
            self._broken += 1
            self._telling.broken(*self._rows.broken.pop(0))

    async def _refuse_a_stump(self, register: str) -> None:
        """Half a file must not put out half the doctors."""
        self._tell()
        async with self._identity.reading() as connection:
            standing = await registers.current(connection, register)
        if not self._rows.taken:
            raise ImportFault("no row could be taken; nothing was changed")
        if standing and not self._smaller and _is_stump(self._rows.taken, standing):
            raise ImportFault(
                f"{self._rows.taken:,} rows where the register had {standing.entries:,}: nothing was "
                "changed; --smaller takes it all the same"
            )

    async def _clear(self) -> int:
        dropped = 0
        while True:
            async with self._identity.writing() as connection:
                now = self._clock()
                piece = await registers.cleared(connection, PIECE_ROWS, now)
            if piece is None:
                return dropped
            dropped += piece
            self._telling.clearing(dropped)
            await asyncio.sleep(BREATH_SECONDS)


def _is_stump(taken: int, standing: Snapshot) -> bool:
    return taken < standing.entries * SMALLEST_SHARE
