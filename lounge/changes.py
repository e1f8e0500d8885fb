"""What was corrected or withdrawn in a consult after a doctor had read it: hers to acknowledge.

It is told with each join, on every device, until she has acknowledged it on one. It is reckoned from her read
mark: when the mark passes a change of something before it, the change is noted among her own things.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from channels.ring import Ring
from lounge.acting import Seat
from lounge.belongings import Belongings, Shelf
from lounge.errors import Code, Refusal
from lounge.gathered import Gathered
from storage import entries
from storage.database import Database
from storage.entries import Change

__all__ = ["Change", "Changes"]

_Asked = tuple[int, int, int, tuple[int, ...]]
"""A room's number, the stretch of it (after, up to), and seqs besides."""


class Changes:
    """Knows what waits for whom. What looks something up may raise StorageError."""

    def __init__(self, database: Database, belongings: Belongings) -> None:
        self._database = database
        self._belongings = belongings
        self._found = Gathered(self._read)

    async def pass_over(self, seat: Seat, shelf: Shelf, ring: Ring | None, upto: int) -> None:
        """Call before the read mark moves to `upto`: what it passes and she had read waits for her word."""
        mark = _mark(seat, shelf)
        for change in await self._since(seat, mark, ring, upto):
            if change.target <= mark:
                shelf.learn(seat.room.id, change.target, change.seq)

    async def waiting(self, seat: Seat, shelf: Shelf, ring: Ring) -> list[Change]:
        """What she has read and was changed since, up to the ring's head: the last change of each say."""
        await self._catch_up(seat, shelf)
        mark, room = _mark(seat, shelf), seat.room.id
        noted, done = shelf.changed(room), shelf.acknowledged(room)
        found = await self._since(seat, mark, ring, ring.head, tuple(noted.values()))
        last = {each.target: each for each in found if each.target <= mark or each.target in noted}
        return [each for each in last.values() if each.seq > done.get(each.target, 0)]

    async def acknowledge(self, seat: Seat, shelf: Shelf, seq: int) -> None:
        """She has seen the change at `seq`, and those of the same say before it. Raises Refusal."""
        if not seat.consult:
            raise Refusal(Code.INVALID, "refusal.consult_only", field="room")
        async with self._database.reading() as connection:
            change = await entries.change_at(connection, seat.number, seq)
        if change is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        shelf.acknowledge(seat.room.id, change.target, change.seq)

    # -- privates --------------------------------------------------------------------------------

    async def _catch_up(self, seat: Seat, shelf: Shelf) -> None:
        """What another process has written: how far she has read on another device, and what waits there."""
        room = seat.room.id
        kept = await self._belongings.kept(shelf.doctor_id)
        for where, target, seq in kept.acknowledged:
            if where == room:
                shelf.acknowledge(room, target, seq)
        for where, target, seq in kept.changed:
            if where == room:
                shelf.learn(room, target, seq)
        if (mark := kept.marks.get(room)) is not None:
            await self.pass_over(seat, shelf, None, mark[0])
            shelf.read(room, *mark)

    async def _since(
        self,
        seat: Seat,
        mark: int,
        ring: Ring | None,
        upto: int,
        noted: tuple[int, ...] = (),
    ) -> list[Change]:
        """Changes after her mark that are not her own, and those noted; most stretches have none."""
        after = mark or upto  # of what she has not read nothing has changed
        is_quiet = after >= upto or (ring is not None and ring.is_quiet(after, upto))
        if is_quiet and not noted:
            return []
        found = await self._found.get((seat.number, after, upto, noted)) or []
        return [each for each in found if each.persona not in seat.dress.ids]

    async def _read(self, asked: Collection[_Asked]) -> Mapping[_Asked, list[Change]]:
        async with self._database.reading() as connection:
            return {each: await entries.changes(connection, *each) for each in asked}


def _mark(seat: Seat, shelf: Shelf) -> int:
    """How far she has read; 0 when she has read nothing of it."""
    return shelf.marks.get(seat.room.id, (0, 0))[0]
