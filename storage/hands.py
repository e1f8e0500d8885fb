"""Whose hand an act of moderation was: a salt and what the salt makes of a doctor, never a doctor."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.schema import hand


@dataclass(frozen=True, slots=True)
class Hand:
    """Of one act: an entry as "room seq", or a sanction's id."""

    act: str
    salt: bytes
    mark: bytes


def add(new: Hand) -> Step:
    """Change: keep it, in the act's transaction."""
    values = {"act": new.act, "salt": new.salt, "mark": new.mark}
    return Step(insert(hand).values({name: bindparam(name) for name in values}), values)


def add_of_this(room: str, nth: int, salt: bytes, mark: bytes) -> Step:
    """The same of the act's own entry, `nth` of those it appends in its room, from 0."""
    values = {"stem": f"{room} ", "nth": nth, "salt": salt, "mark": mark}
    return Step(_ADD_OF_THIS, values, numbered=True)


def add_elsewhere(room_number: int, nth: int, salt: bytes, mark: bytes) -> Step:
    """The same of an entry that the act appends in another room than its own, `nth` of those there."""
    values = {"room": room_number, "nth": nth, "salt": salt, "mark": mark}
    return Step(_ADD_ELSEWHERE, values, numbered=True, room_id=room_number)


async def of(connection: AsyncConnection, acts: Collection[str]) -> list[Hand]:
    """Those that are kept of these acts."""
    rows = await connection.execute(select(hand).where(hand.c.act.in_(acts)))
    return [Hand(row.act, bytes(row.salt), bytes(row.mark)) for row in rows]


_ADD_OF_THIS = text(
    "INSERT INTO hand (act, salt, mark)"
    " VALUES (:stem || CAST(CAST(:act_seq AS BIGINT) + CAST(:nth AS BIGINT) AS TEXT), :salt, :mark)"
)
_ADD_ELSEWHERE = text(
    "INSERT INTO hand (act, salt, mark)"
    " VALUES ((SELECT slug FROM room WHERE id = :room) || ' '"
    " || CAST(CAST(:act_seq AS BIGINT) + CAST(:nth AS BIGINT) AS TEXT), :salt, :mark)"
)
