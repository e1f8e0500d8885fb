"""A moderator mutes whoever wrote an entry: without learning who it is, or whether anybody was found."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lounge.conversation import REPORT_KINDS
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.moderation import reach, require_moderator
from lounge.notices import letter
from lounge.sanctions import Sanction, one_each
from storage import audit, entries, officers, outbox, sanctions

if TYPE_CHECKING:
    from lounge.opening import Lounge

LONGEST_MINUTES = 366 * 24 * 60
_BY = "moderator"


@dataclass(frozen=True, slots=True)
class Mute:
    """What a moderator asks for: `minutes` None until it is lifted; `everywhere` or in the entry's room."""

    seq: int
    minutes: int | None
    reason: str
    everywhere: bool


async def mute_author(lounge: Lounge, moderator: Doctor, room_id: str, asked: Mute) -> Sanction:
    """Mute whoever wrote that entry, and tell her. Raises Refusal.

    The answer is the same whether its author is found, muted already, or has left.
    """
    room = await reach(lounge, moderator, room_id, asked.seq)
    if asked.reason not in REPORT_KINDS:
        raise Refusal(Code.INVALID, "refusal.report_kind", field="reason")
    author = await _author(lounge, room, asked.seq)
    until = None if asked.minutes is None else _now() + asked.minutes * 60_000
    made = lounge.sanctions.new(
        *author,
        room=None if asked.everywhere else room,
        until=until,
        reason=asked.reason,
    )
    await _keep(lounge, made, room, asked, author[0])
    await lounge.sanctions.refresh()
    lounge.relay.wake()
    return made


async def lift(lounge: Lounge, moderator: Doctor, id: str) -> None:
    """End a sanction before its time. Raises Refusal."""
    require_moderator(moderator)
    async with lounge.database.writing() as connection:
        was = await sanctions.lift(connection, id)
        if was is None:
            raise Refusal(Code.NOT_FOUND, "sanction.unknown")
        await audit.append_lounge(
            connection, "sanction.lifted", by=_BY, about=was.room, detail={"sanction": id}
        )
    await lounge.sanctions.refresh()


async def in_force(lounge: Lounge, moderator: Doctor) -> tuple[Sanction, ...]:
    """All that stand now, the newest first: where, until when and why, never whom. Raises Refusal."""
    require_moderator(moderator)
    async with lounge.database.reading() as connection:
        found = await sanctions.in_force(connection, _now())
    return tuple(sorted(one_each(found), key=lambda each: -each.at))


async def _author(lounge: Lounge, room: str, seq: int) -> tuple[str | None, bytes | None]:
    """Doctor and licence mark of an entry's author; Nones when she has left."""
    number = await lounge.conversation.number(room)
    async with lounge.database.reading() as connection:
        was = await entries.standing(connection, number, seq)
    if was is None or was.kind not in _SPOKEN or was.persona is None:
        raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
    async with lounge.identity_database.reading() as connection:
        doctor_ids = await officers.everybody(connection)
    home = str(was.body.get("consult", await lounge.talks.home_of(room)))  # a card's is the consult
    doctor_id = await lounge.personas.owner(was.persona, home, doctor_ids)
    if doctor_id is None:
        return None, None
    async with lounge.identity_database.reading() as connection:
        return doctor_id, await officers.licence_of(connection, doctor_id)


async def _keep(
    lounge: Lounge, made: Sanction, room: str, asked: Mute, doctor_id: str | None
) -> None:
    """Sanction, letter and audit: all or nothing."""
    detail = {
        "sanction": made.id,
        "reason": made.reason,
        "where": "everywhere" if made.room is None else "here",
        "minutes": "until lifted" if asked.minutes is None else str(asked.minutes),
    }
    notice = {
        "notice": "muted" + ("" if made.room else "_everywhere") + ("" if made.until else "_open"),
        "about": room,
        "target": asked.seq,
        "reason": made.reason,
        "until": made.until,
    }
    async with lounge.database.writing() as connection:
        await sanctions.add(connection, made)
        if doctor_id is not None:
            told = letter(lounge.keys, doctor_id, notice, at=made.at)
            await outbox.put(connection, told)
        await audit.append_lounge(
            connection, "sanction.mute", by=_BY, about=f"{room} {asked.seq}", detail=detail
        )


_SPOKEN = ("say", "consult.open", "consult.card", "consult.decided", "consult.outcome", "poll.open")


def _now() -> int:
    return time.time_ns() // 1_000_000
