"""`lounge serve` with places at which its worker may be killed, by `python -m tests.chaos.marked PORT`.

The file `$CHAOS_POINTS/armed` names a place and how often it is passed before that is the end, as in
`after COMMIT 3`. Whichever worker gets there first takes the file away, and leaves `fired` with its pid.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.bus import Bus
from channels.seal import Seal
from lounge.settings import Settings, from_environment
from storage import writer
from storage.group_commit import GroupCommit
from web import app
from web.server import serve

POINTS = (
    "after BEGIN",
    "after INSERT",
    "before COMMIT",
    "after COMMIT",
    "before publish",
    "before ack",
)
_FOLDER = Path(os.environ.get("CHAOS_POINTS", "."))


def build(settings: Settings) -> app.Application:
    """The application as it always is, marked."""
    _mark_transaction()
    _mark_announcing()
    return app.build(settings)


def _mark_transaction() -> None:
    begin, write = writer._Batch.begin, writer._Batch.write

    async def begun(*arguments: Any) -> Any:
        batch = await begin(*arguments)
        _pass("after BEGIN")
        return batch

    async def written(batch: writer._Batch) -> None:
        batch.connection = _Marked(batch.connection)  # type: ignore[assignment]
        await write(batch)
        _pass("before COMMIT")

    writer._Batch.begin = begun  # type: ignore[method-assign, assignment]
    writer._Batch.write = written  # type: ignore[method-assign, assignment]


def _mark_announcing() -> None:
    tell, committed, published = writer.Writer._tell, GroupCommit.committed, Bus._published

    def told(self: writer.Writer, commits: Sequence[writer.Commit]) -> None:
        _pass("after COMMIT")
        tell(self, commits)

    def answered(self: GroupCommit, answers: Any) -> None:
        _pass("before ack")
        committed(self, answers)

    async def about_to_publish(self: Bus, seal: Seal, messages: list[tuple[str, bytes]]) -> bool:
        if messages and messages[0][0] != self.canary_channel:
            _pass("before publish")
        return await published(self, seal, messages)

    writer.Writer._tell = told  # type: ignore[method-assign]
    GroupCommit.committed = answered  # type: ignore[method-assign]
    Bus._published = about_to_publish  # type: ignore[method-assign]


class _Marked:
    """A connection that is also a place to be killed at."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def execute(self, statement: Any, rows: Any) -> Any:
        result = await self._connection.execute(statement, rows)
        if statement is writer._INSERT_ENTRIES:
            _pass("after INSERT")
        return result


def _pass(point: str) -> None:
    with suppress(FileNotFoundError):
        armed, _, times = (_FOLDER / "armed").read_text().rpartition(" ")
        if armed == point:
            _count_down(point, int(times))


def _count_down(point: str, times: int) -> None:
    if times > 1:
        (_FOLDER / "armed").write_text(f"{point} {times - 1}")
        return
    (_FOLDER / "armed").unlink()
    (_FOLDER / "fired").write_text(f"{os.getpid()}")
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(
        serve(from_environment(), port=int(sys.argv[1]), application="tests.chaos.marked:build")
    )
