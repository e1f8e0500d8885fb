"""What moderators change of entries and of rooms: guarded steps, and how rooms stand."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.entries import BESIDES, HIDEABLE, Standing
from storage.schema import appeal, entry, evidence, pin, report, report_note, room


@dataclass(frozen=True, slots=True)
class RoomMode:
    """How a room stands since the entry at `moded`: seconds of slow mode, reading only, pinned entries."""

    slow: int = 0
    frozen: bool = False
    moded: int = 0
    pins: tuple[int, ...] = ()


# -- reading -------------------------------------------------------------------------------------


async def modes(
    connection: AsyncConnection,
) -> dict[str, tuple[int, RoomMode]]:
    """By slug the number and mode of every room that a moderator ever set, without its pins."""
    statement = select(room.c.slug, room.c.id, room.c.slow, room.c.frozen, room.c.moded)
    rows = await connection.execute(statement.where(room.c.moded.is_not(None)))
    return {row.slug: (row.id, RoomMode(row.slow, row.frozen, row.moded)) for row in rows}


async def mode_of(connection: AsyncConnection, room_number: int) -> RoomMode:
    """How one room stands."""
    statement = select(room.c.slow, room.c.frozen, room.c.moded).where(room.c.id == room_number)
    row = (await connection.execute(statement)).one()
    pinned = (await pins(connection, [room_number])).get(room_number, ())
    return RoomMode(row.slow, row.frozen, row.moded or 0, pinned)


async def pins(
    connection: AsyncConnection, room_numbers: Collection[int]
) -> dict[int, tuple[int, ...]]:
    """What is pinned in these rooms, in the order in which it was."""
    statement = select(pin.c.room_id, pin.c.target).where(pin.c.room_id.in_(list(room_numbers)))
    found: dict[int, tuple[int, ...]] = {}
    for row in await connection.execute(statement.order_by(pin.c.seq)):
        found[row.room_id] = (*found.get(row.room_id, ()), row.target)
    return found


async def last_say(
    connection: AsyncConnection, room_number: int, ids: Collection[bytes], since: int
) -> int | None:
    """When one of these personas last said something there after `since`, in ms."""
    query = select(func.max(entry.c.at)).where(_said_since(room_number, ids, since))
    found: int | None = (await connection.execute(query)).scalar()
    return found


# -- the guarded steps ---------------------------------------------------------------------------


def hide(room_number: int, seq: int, was: Standing, nth: int = 0) -> list[Step]:
    """Guard and changes: an entry that stands as `was`, with its edits, is served to nobody.

    By the act's entry `nth`, from 0.
    """
    hidden = {"hidden": _BY_THIS + nth}
    return [
        Step(_entry(room_number, seq, was).values(hidden), rows=1, numbered=True),
        *_besides(room_number, seq, hidden),
    ]


def hide_silently(room_number: int, seq: int) -> list[Step]:
    """The same in another room than the act's, and no guard: it may be hidden already."""
    found = update(entry).where(_at(room_number, seq), entry.c.redacted.is_(None)).values(_HIDE)
    return [
        Step(found, numbered=True, room_id=room_number),
        *_besides(room_number, seq, _HIDE, room_number),
    ]


def restore(room_number: int, seq: int, was: Standing) -> list[Step]:
    """Guard and changes: what was hidden as `was` says is served again."""
    shown = _entry(room_number, seq, was).where(entry.c.hidden.is_not(None)).values(hidden=None)
    return [Step(shown, rows=1), *restore_silently(room_number, seq)]


def restore_silently(room_number: int, seq: int) -> list[Step]:
    """The same without a guard."""
    those = or_(entry.c.seq == seq, and_(entry.c.target == seq, entry.c.kind.in_(BESIDES)))
    shown = update(entry).where(entry.c.room_id == room_number, those)
    return [Step(shown.where(entry.c.hidden.is_not(None)).values(hidden=None))]


def caution(room_number: int, seq: int) -> Step:
    """Guard and change: the entry stands, and is disputed by this act."""
    stands = and_(entry.c.redacted.is_(None), entry.c.hidden.is_(None))
    found = update(entry).where(_at(room_number, seq), entry.c.kind.in_(HIDEABLE), stands)
    return Step(found.values(caution=bindparam("act_seq")), rows=1, numbered=True)


def set_mode(room_number: int, was: RoomMode, slow: int, frozen: bool) -> Step:
    """Guard and change: the room's mode, that was so, is that from this act on."""
    stands = and_(room.c.id == room_number, room.c.slow == was.slow, room.c.frozen == was.frozen)
    moded = {"slow": slow, "frozen": frozen, "moded": bindparam("act_seq")}
    return Step(update(room).where(stands).values(moded), rows=1, numbered=True)


def put_pin(room_number: int, seq: int) -> list[Step]:
    """Guards and changes: an entry that stands, and is not pinned, is pinned."""
    stands = and_(_at(room_number, seq), entry.c.redacted.is_(None), entry.c.hidden.is_(None))
    found = select(entry.c.seq).where(stands, entry.c.kind.in_(HIDEABLE), ~_is_pinned)
    row = {"room_id": room_number, "target": seq, "seq": bindparam("act_seq")}
    return [
        Step(found, rows=1),
        Step(insert(pin).values(**row), numbered=True),
        _moded(room_number),
    ]


def take_pin(room_number: int, seq: int) -> list[Step]:
    """Guard and changes: it is pinned no longer."""
    return [Step(_unpin(room_number, seq), rows=1), _moded(room_number)]


def unpin_silently(room_number: int, seq: int) -> list[Step]:
    """What is shown no more is pinned no more."""
    its_room = select(pin.c.target).where(pin.c.room_id == room_number, pin.c.target == seq)
    moded = update(room).where(room.c.id == room_number, exists(its_room))
    return [
        Step(moded.values(moded=bindparam("act_seq")), numbered=True, room_id=room_number),
        Step(_unpin(room_number, seq)),
    ]


def said_nothing(room_number: int, ids: Collection[bytes], since: int) -> Step:
    """Guard: none of these personas has said anything there after `since`, in ms."""
    return Step(select(entry.c.seq).where(_said_since(room_number, ids, since)), rows=0)


def after_erasing(room_number: int, seq: int) -> list[Step]:
    """What was erased is pinned no more; and where a patient may be known by it, no copy of it is left."""
    about = and_(report.c.room_id == room_number, report.c.seq == seq)
    known = and_(about, report.c.kind == "patient_identifiable", report.c.outcome.is_(None))
    those = evidence.c.report.in_(select(report.c.id).where(about))
    copies = delete(evidence).where(those, exists(select(report.c.id).where(known)))
    return [*unpin_silently(room_number, seq), Step(copies)]


def forget_reports(room_number: int, seq: int) -> list[Step]:
    """Of the reports about an entry only their kinds and outcomes are left: no copy, no note, no appeal."""
    about = and_(report.c.room_id == room_number, report.c.seq == seq)
    those = select(report.c.id).where(about)
    appealed = and_(appeal.c.room_id == room_number, appeal.c.seq == seq)
    return [
        Step(delete(evidence).where(evidence.c.report.in_(those))),
        Step(delete(report_note).where(report_note.c.report.in_(those))),
        Step(update(report).where(about).values(note=None)),
        Step(update(appeal).where(appealed).values(text="")),
    ]


# -- privates ------------------------------------------------------------------------------------


def _at(room_number: int, seq: int) -> Any:
    return and_(entry.c.room_id == room_number, entry.c.seq == seq)


def _entry(room_number: int, seq: int, was: Standing) -> Any:
    return update(entry).where(
        _at(room_number, seq),
        entry.c.kind.in_(HIDEABLE),
        entry.c.redacted.is_(None),
        entry.c.hidden.is_not_distinct_from(was.hidden),
        entry.c.edited.is_not_distinct_from(was.edited),
        entry.c.withdrawn.is_not_distinct_from(was.withdrawn),
    )


def _besides(
    room_number: int, seq: int, hidden: dict[str, Any], elsewhere: int | None = None
) -> list[Step]:
    those = and_(entry.c.room_id == room_number, entry.c.target == seq)
    its = update(entry).where(those, entry.c.kind.in_(BESIDES), entry.c.redacted.is_(None))
    return [
        Step(its.values(hidden), numbered=True, room_id=elsewhere),
        *unpin_silently(room_number, seq),
    ]


def _moded(room_number: int) -> Step:
    moded = update(room).where(room.c.id == room_number).values(moded=bindparam("act_seq"))
    return Step(moded, numbered=True)


def _unpin(room_number: int, seq: int) -> Any:
    return delete(pin).where(pin.c.room_id == room_number, pin.c.target == seq)


def _said_since(room_number: int, ids: Collection[bytes], since: int) -> Any:
    """From the newest entry back: no older ones are looked at."""
    before = select(entry.c.seq).where(entry.c.room_id == room_number, entry.c.at <= since)
    last = before.order_by(entry.c.seq.desc()).limit(1).scalar_subquery()
    return and_(
        entry.c.room_id == room_number,
        entry.c.seq > func.coalesce(last, 0),
        entry.c.kind == "say",
        entry.c.persona.in_(list(ids)),
    )


_BY_THIS = cast(bindparam("act_seq"), BigInteger)
_HIDE: dict[str, Any] = {"hidden": bindparam("act_seq")}
_is_pinned = exists(
    select(pin.c.target).where(pin.c.room_id == entry.c.room_id, pin.c.target == entry.c.seq)
)
