"""A doctor's own things: which rooms are hers, how far she has read, which face she wears where.

They lie sealed in the identity store, and are written late and at a random moment: a row that
changed together with a say would tell whose say it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from random import SystemRandom
from weakref import WeakValueDictionary

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.errors import Code, Refusal
from lounge.gathered import Gathered
from lounge.keys import Keys
from lounge.told import Spent, Told
from storage import belongings
from storage.belongings import Kept
from storage.database import Database, StorageError

log = structlog.get_logger()

MOST_OWN = 50
MOST_PINNED = 200
MOST_MARKS = 200
MOST_IGNORED = 200
MOST_CHANGES = 200
ANY_ROOM = ""
"""Under this `faces` holds the one worn where none was chosen."""
LATEST_SECONDS = 60.0
_BATCH = 100
_LABEL = "belongings"
_random = SystemRandom()


Changed = tuple[str, int, int]
"""In a room, the entry at a seq was last changed by the one at another."""


class Things(msgspec.Struct, frozen=True):
    """What the sealed row holds. Rooms come most recent first; marks and faces, last.

    By room: the face worn there, the faces whose badge is exact, how many personas were retired, and the ids
    of those whom she does not wish to read. Of consults, what changed after she had read it and waits for her
    word, and what she has acknowledged: the last of each, as room, target and seq. `judged`: which of her
    last reports were upheld.
    """

    own: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    marks: dict[str, tuple[int, int]] = {}
    faces: dict[str, str] = {}
    exact: dict[str, tuple[str, ...]] = {}
    retired: dict[str, int] = {}
    ignored: dict[str, tuple[str, ...]] = {}
    signals: bool = True
    changed: tuple[Changed, ...] = ()
    acknowledged: tuple[Changed, ...] = ()
    told: Told = Told()
    spent: Spent = Spent()
    judged: tuple[bool, ...] = ()


Change = Callable[[Things], Things]


class Shelf:
    """One doctor's things, shared by all her sockets of this process. Changes show at once."""

    def __init__(self, doctor_id: str, things: Things, due: Callable[[Shelf], None]) -> None:
        self.doctor_id = doctor_id
        self._things = things
        self._due = due
        self._pending: dict[tuple[str, str], Change] = {}

    @property
    def things(self) -> Things:
        """All that lies on it, as it stands."""
        return self._things

    @property
    def own(self) -> tuple[str, ...]:
        """Rooms joined before, the most recent first, at most 50."""
        return self._things.own

    @property
    def pinned(self) -> tuple[str, ...]:
        """In the order in which they were pinned."""
        return self._things.pinned

    @property
    def rooms(self) -> tuple[str, ...]:
        """Pinned, then own: each once, at most 50."""
        return tuple(dict.fromkeys(self.pinned + self.own))[:MOST_OWN]

    @property
    def marks(self) -> Mapping[str, tuple[int, int]]:
        """How far each room is read: (seq, says up to it)."""
        return self._things.marks

    @property
    def faces(self) -> Mapping[str, str]:
        return self._things.faces

    def is_exact(self, room: str, face: str) -> bool:
        """Whether she knowingly shows her whole badge there with this face."""
        return face in self._things.exact.get(room, ())

    def retired(self, room: str) -> int:
        """How many personas she has retired there."""
        return self._things.retired.get(room, 0)

    def ignored(self, room: str) -> tuple[str, ...]:
        """Whom she does not wish to read there, by id as on the wire."""
        return self._things.ignored.get(room, ())

    @property
    def signals(self) -> bool:
        """Whether "seen" and "writing" are sent and shown in her talks."""
        return self._things.signals

    def joined(self, room: str) -> None:
        self._change(("joined", room), lambda things: _joined(things, room))

    def pin(self, room: str, pinned: bool) -> None:
        self._change(("pin", room), lambda things: _pinned(things, room, pinned))

    def read(self, room: str, seq: int, says: int) -> None:
        """Move the read mark; it only ever goes forward."""
        if seq > self.marks.get(room, (0, 0))[0]:
            self._change(("read", room), lambda things: _read(things, room, seq, says))

    def face(self, room: str) -> str | None:
        """The face chosen for a room, else the one for rooms in which none was."""
        return self.faces.get(room) or self.faces.get(ANY_ROOM)

    def wear(self, room: str, face: str, *, exact: bool = False) -> None:
        """The face worn there from now on, and whether with the whole badge."""
        self._change(("wear", room), lambda things: _wearing(things, room, face))
        self._change((f"exact {face}", room), lambda things: _exact(things, room, face, exact))

    def retire(self, room: str, retired: int) -> None:
        """So many are retired there; it only ever goes up."""
        most = max(retired, self.retired(room))
        self._change(("retire", room), lambda things: _retired(things, room, most))

    def ignore(self, room: str, persona: str, on: bool) -> None:
        """Raises Refusal when she ignores too many already."""
        if on and len(self.ignored(room)) >= MOST_IGNORED:
            raise Refusal(Code.INVALID, "refusal.ignored", most=MOST_IGNORED)
        change = lambda things: _ignoring(things, room, persona, on)  # noqa: E731
        self._change((f"ignore {persona}", room), change)

    def signal(self, on: bool) -> None:
        """Turn the switch of `signals`."""
        self._change(("signals", ""), lambda things: msgspec.structs.replace(things, signals=on))

    def changed(self, room: str) -> dict[int, int]:
        """What has changed there since she read it and is not acknowledged: the last change, by target."""
        return _by_target(self._things.changed, room)

    def acknowledged(self, room: str) -> dict[int, int]:
        """The last change there that she has acknowledged, by target."""
        return _by_target(self._things.acknowledged, room)

    def learn(self, room: str, target: int, seq: int) -> None:
        """What she has read at `target` was changed at `seq`: it waits until she acknowledges it."""
        change: Change = lambda things: _learned(things, room, target, seq)  # noqa: E731
        if change(self._things) is self._things:
            return
        self._change((f"changed {target}", room), change)

    def acknowledge(self, room: str, target: int, seq: int) -> None:
        """She has seen that change, and those of the same entry before it."""
        change: Change = lambda things: _acknowledging(things, room, target, seq)  # noqa: E731
        if change(self._things) is self._things:
            return
        self._change((f"acknowledged {target}", room), change)

    def _change(self, what: tuple[str, str], change: Change) -> None:
        """The last change of a kind and room is the one that counts."""
        self._things = change(self._things)
        self._pending.pop(what, None)
        self._pending[what] = change
        self._due(self)

    def _written(self, base: Things, done: Mapping[tuple[str, str], Change]) -> bool:
        """Stand on the row that was written; true when nothing came in meanwhile."""
        for what, change in done.items():
            if self._pending.get(what) is change:
                del self._pending[what]
        self._stand_on(base)
        return not self._pending

    def _stand_on(self, base: Things) -> None:
        self._things = _applied(base, self._pending)


class Belongings:
    """The shelves that are in use in this process, and their way to the store."""

    def __init__(
        self,
        identity: Database,
        keys: Keys,
        *,
        latest_seconds: float = LATEST_SECONDS,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._identity = identity
        self._keyring = keys.identity
        self._latest_seconds = latest_seconds
        self._clock = clock
        self._shelves: WeakValueDictionary[str, Shelf] = WeakValueDictionary()
        self._due: dict[str, Shelf] = {}
        self._writing = asyncio.Lock()
        self._kept = Gathered(self._read)

    async def of(self, doctor_id: str) -> Shelf:
        """The doctor's shelf: the same object while anybody holds it. Raises StorageError."""
        if (shelf := self._shelves.get(doctor_id)) is None:
            kept = await self._kept.get(doctor_id)
            if kept is None:
                raise Refusal(Code.NOT_FOUND, "session.none")
            if (shelf := self._shelves.get(doctor_id)) is None:  # somebody else may have asked too
                shelf = Shelf(doctor_id, self._opened(doctor_id, kept), self._note)
                self._shelves[doctor_id] = shelf
        return shelf

    async def kept(self, doctor_id: str) -> Things:
        """Her things as the store has them, whichever process wrote them. Raises Refusal, StorageError."""
        found = await self._kept.get(doctor_id)
        if found is None:
            raise Refusal(Code.NOT_FOUND, "session.none")
        return self._opened(doctor_id, found)

    async def held(self, connection: AsyncConnection, doctor_id: str) -> Things | None:
        """The same, nobody else's to change until the commit. None: she is gone."""
        rows = await belongings.locked(connection, [doctor_id], self._clock())
        return self._opened(doctor_id, rows[doctor_id]) if doctor_id in rows else None

    async def put(self, connection: AsyncConnection, doctor_id: str, things: Things) -> None:
        """Replace what was `held`: for what is not to be late."""
        sealed = {doctor_id: self._sealed(doctor_id, things)}
        await belongings.put(connection, sealed, self._clock())
        if (shelf := self._shelves.get(doctor_id)) is not None:
            shelf._stand_on(things)

    async def told_of(self, specialties: Collection[str]) -> dict[str, Told]:
        """What the verified doctors of these specialties wish to be told, of those who keep anything."""
        told: dict[str, Told] = {}
        after = ""
        while True:
            async with self._identity.reading() as connection:
                page = await belongings.of_specialties(connection, specialties, after, _BATCH)
            if not page:
                return told
            after = max(page)
            told |= await asyncio.to_thread(self._told, page)

    async def run(self) -> None:
        """Write what changed, again and again, 0 to 60 seconds late and many doctors together."""
        while True:
            await asyncio.sleep(_random.uniform(0, self._latest_seconds))
            try:
                await self.write()
            except StorageError as fault:
                log.warning("belongings not written, will try again", fault=str(fault))

    async def write(self) -> None:
        """Write all that is due. On a StorageError the rest stays due."""
        async with self._writing:
            due = list(self._due.values())
            _random.shuffle(due)
            for start in range(0, len(due), _BATCH):
                await self._write(due[start : start + _BATCH])

    async def close(self) -> None:
        """Write what is due, for the last time."""
        try:
            await self.write()
        except StorageError as fault:
            log.error("belongings lost at the end", shelves=len(self._due), fault=str(fault))

    async def _read(self, doctor_ids: Collection[str]) -> dict[str, Kept]:
        async with self._identity.reading() as connection:
            return await belongings.of(connection, doctor_ids)

    def _told(self, page: Mapping[str, Kept]) -> dict[str, Told]:
        return {id: self._opened(id, kept).told for id, kept in page.items()}

    def _note(self, shelf: Shelf) -> None:
        self._due[shelf.doctor_id] = shelf

    async def _write(self, shelves: Sequence[Shelf]) -> None:
        """Apply what is pending to the rows as they are now: another process may have written."""
        pending = {shelf.doctor_id: dict(shelf._pending) for shelf in shelves}
        async with self._identity.writing() as connection:
            now = self._clock()
            rows = await belongings.locked(connection, list(pending), now)
            things = {
                doctor_id: _applied(self._opened(doctor_id, kept), pending[doctor_id])
                for doctor_id, kept in rows.items()
            }
            sealed = {
                doctor_id: self._sealed(doctor_id, all_) for doctor_id, all_ in things.items()
            }
            await belongings.put(connection, sealed, now)
        for shelf in shelves:
            doctor_id = shelf.doctor_id
            if doctor_id not in things or shelf._written(things[doctor_id], pending[doctor_id]):
                del self._due[doctor_id]

    def _opened(self, doctor_id: str, kept: Kept) -> Things:
        if kept.sealed is None:
            own_rooms = (f"specialty/{kept.specialty}", f"country/{kept.country.lower()}", "world")
            return Things(pinned=own_rooms)
        opened = self._keyring.unseal(_LABEL, kept.sealed, doctor_id.encode())
        return msgspec.msgpack.decode(opened, type=Things)

    def _sealed(self, doctor_id: str, things: Things) -> bytes:
        return self._keyring.seal(_LABEL, msgspec.msgpack.encode(things), doctor_id.encode())


def _applied(things: Things, changes: Mapping[tuple[str, str], Change]) -> Things:
    for change in changes.values():
        things = change(things)
    return things


def _joined(things: Things, room: str) -> Things:
    own = (room, *(other for other in things.own if other != room))
    return msgspec.structs.replace(things, own=own[:MOST_OWN])


def _pinned(things: Things, room: str, pinned: bool) -> Things:
    others = tuple(other for other in things.pinned if other != room)
    if pinned and room in things.pinned:
        return things
    wanted = (*others, room)[-MOST_PINNED:] if pinned else others
    return msgspec.structs.replace(things, pinned=wanted)


def _read(things: Things, room: str, seq: int, says: int) -> Things:
    if seq <= things.marks.get(room, (0, 0))[0]:
        return things
    marks = {other: mark for other, mark in things.marks.items() if other != room}
    marks[room] = (seq, says)
    oldest = list(islice(marks, max(0, len(marks) - MOST_MARKS)))
    return msgspec.structs.replace(
        things, marks={other: mark for other, mark in marks.items() if other not in oldest}
    )


def _wearing(things: Things, room: str, face: str) -> Things:
    return msgspec.structs.replace(things, faces={**things.faces, room: face})


def _exact(things: Things, room: str, face: str, exact: bool) -> Things:
    others = tuple(other for other in things.exact.get(room, ()) if other != face)
    faces = (*others, face) if exact else others
    return msgspec.structs.replace(things, exact=_with(things.exact, room, faces))


def _retired(things: Things, room: str, retired: int) -> Things:
    most = max(retired, things.retired.get(room, 0))
    return msgspec.structs.replace(things, retired={**things.retired, room: most})


def _ignoring(things: Things, room: str, persona: str, on: bool) -> Things:
    others = tuple(other for other in things.ignored.get(room, ()) if other != persona)
    ignored = (*others, persona) if on else others
    return msgspec.structs.replace(things, ignored=_with(things.ignored, room, ignored))


def _learned(things: Things, room: str, target: int, seq: int) -> Things:
    known = max(
        _by_target(things.changed, room).get(target, 0),
        _by_target(things.acknowledged, room).get(target, 0),
    )
    if seq <= known:
        return things
    return msgspec.structs.replace(things, changed=_noted(things.changed, room, target, seq))


def _acknowledging(things: Things, room: str, target: int, seq: int) -> Things:
    if seq <= _by_target(things.acknowledged, room).get(target, 0):
        return things
    left = tuple(each for each in things.changed if each[:2] != (room, target) or each[2] > seq)
    done = _noted(things.acknowledged, room, target, seq)
    return msgspec.structs.replace(things, changed=left, acknowledged=done)


def _noted(noted: tuple[Changed, ...], room: str, target: int, seq: int) -> tuple[Changed, ...]:
    """The newest last; the oldest go when there are too many."""
    others = tuple(each for each in noted if each[:2] != (room, target))
    return (*others, (room, target, seq))[-MOST_CHANGES:]


def _by_target(noted: tuple[Changed, ...], room: str) -> dict[int, int]:
    return {target: seq for where, target, seq in noted if where == room}


def _with(
    kept: Mapping[str, tuple[str, ...]], room: str, values: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    rest = {other: theirs for other, theirs in kept.items() if other != room}
    return rest | {room: values} if values else rest
