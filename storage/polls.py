"""Polls: questions put to a room, their ballots, and how many of those are counted and shown by now.

A ballot lies under a keyed hash of doctor and poll, and names no persona. What is shown is counted in steps:
`told` of a ballot is the body that the counts hold, which a ballot put since then is not in.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.schema import ballot, entry, poll

VOTED, CLOSED = "voted", "closed"
"""To whom counts are shown before the end: to whoever has voted, or to nobody."""


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll: its entry, how it is voted in, and how far it has come.

    `closes` in ms; `told` votes are those that all know of; `casts` rises with every ballot that is put;
    `closed` is the seq of that entry. `author`: the persona that asked. `hidden`: its words were taken away.
    """

    room_id: int
    seq: int
    id: str
    choices: int
    multiple: bool
    final: bool
    shown: str
    closes: int | None
    told: int = 0
    casts: int = 0
    closed: int | None = None
    author: bytes | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Ballot:
    """What somebody chose, and what of it the counts hold by now."""

    chosen: tuple[int, ...]
    told: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many voted, and for what: a number a choice."""

    votes: int
    of: tuple[int, ...]

    def with_own(self, own: Ballot) -> Counts:
        """The same with this ballot as it is now."""
        of = list(self.of)
        for choice in own.told or ():
            of[choice] -= 1
        for choice in own.chosen:
            of[choice] += 1
        return Counts(self.votes + (own.told is None), tuple(of))


# -- reading -------------------------------------------------------------------------------------


async def at(
    connection: AsyncConnection, places: Collection[tuple[int, int]]
) -> dict[tuple[int, int], Poll]:
    """The polls at these places, which are rooms' numbers and seqs."""
    among = tuple_(poll.c.room_id, poll.c.seq).in_(list(places))
    rows = await connection.execute(_POLLS.where(among))
    return {(row.room_id, row.seq): _poll(row) for row in rows}


async def by_id(connection: AsyncConnection, id: str) -> Poll | None:
    """The poll whose entry has that id."""
    row = (await connection.execute(_POLLS.where(poll.c.id == id))).one_or_none()
    return None if row is None else _poll(row)


async def own(connection: AsyncConnection, keys: Collection[bytes]) -> dict[bytes, Ballot]:
    """The ballots under these keys."""
    found = select(ballot.c.key, ballot.c.body, ballot.c.told).where(ballot.c.key.in_(list(keys)))
    return {
        bytes(row.key): Ballot(_chosen(row.body), None if row.told is None else _chosen(row.told))
        for row in await connection.execute(found)
    }


async def shown(connection: AsyncConnection, polls: Collection[Poll]) -> dict[str, Counts]:
    """What is shown of these polls by now, by id: of ballots that were told."""
    return await _counted(connection, polls, ballot.c.told)


async def cast(connection: AsyncConnection, which: Poll) -> Counts:
    """What was chosen so far, told or not."""
    return (await _counted(connection, [which], ballot.c.body))[which.id]


async def states(
    connection: AsyncConnection, room_number: int, seqs: Collection[int]
) -> dict[int, dict[str, Any]]:
    """How the polls at these seqs of a room stand, as events tell it: by seq."""
    statement = (
        select(poll.c.seq, poll.c.told, poll.c.closed, _end.c.body)
        .select_from(
            poll.outerjoin(_end, (_end.c.room_id == poll.c.room_id) & (_end.c.seq == poll.c.closed))
        )
        .where(poll.c.room_id == room_number, poll.c.seq.in_(list(seqs)))
    )
    return {row.seq: _state(row) for row in await connection.execute(statement)}


# -- steps of acts -------------------------------------------------------------------------------


def opening(new: Poll) -> Step:
    """Change: the act's first entry is this poll; its `seq` is that entry's."""
    row = {
        "room_id": new.room_id,
        "seq": bindparam("act_seq"),
        "id": new.id,
        "choices": new.choices,
        "multiple": new.multiple,
        "final": new.final,
        "shown": new.shown,
        "closes": new.closes,
    }
    return Step(insert(poll).values(**row), numbered=True)


def casting(
    is_sqlite: bool, to: Poll, key: bytes, chosen: Sequence[int], now: int
) -> tuple[Step, ...]:
    """Guards and changes: this is the ballot under that key, the poll being open at `now` (ms).

    Where a vote is final, there must be none yet.
    """
    open_yet = or_(poll.c.closes.is_(None), poll.c.closes > now)
    count = update(poll).where(_is(to), poll.c.closed.is_(None), open_yet)
    making = sqlite.insert(ballot) if is_sqlite else postgresql.insert(ballot)
    body = json.dumps(sorted(chosen), separators=(",", ":")).encode()
    made = making.values(key=key, subject=to.id, body=body)
    put: Any = (
        made.on_conflict_do_nothing()
        if to.final
        else made.on_conflict_do_update(index_elements=["key"], set_={"body": made.excluded.body})
    )
    return Step(count.values(casts=poll.c.casts + 1), rows=1), Step(put, rows=1)


def telling(of: Poll) -> Step:
    """Change: counts hold every ballot of the poll as it is now."""
    behind = (ballot.c.subject == of.id) & ballot.c.told.is_distinct_from(ballot.c.body)
    return Step(update(ballot).where(behind).values(told=ballot.c.body))


def counting(of: Poll, votes: int) -> Step:
    """Guard and change: so many votes are told; it is not at its end."""
    still = update(poll).where(_is(of), poll.c.closed.is_(None))
    return Step(still.values(told=votes), rows=1)


def closing(was: Poll, votes: int) -> tuple[Step, ...]:
    """Guard and changes: it ends by the act's first entry, no ballot having been put since `was` was read."""
    still = update(poll).where(_is(was), poll.c.closed.is_(None), poll.c.casts == was.casts)
    end = still.values(told=votes, closed=bindparam("act_seq"))
    return Step(end, rows=1, numbered=True), telling(was)


# -- privates ------------------------------------------------------------------------------------


async def _counted(
    connection: AsyncConnection, polls: Collection[Poll], body: Any
) -> dict[str, Counts]:
    """Equal ballots are counted by the database: there are few kinds of them."""
    found = (
        select(ballot.c.subject, body.label("chosen"), func.count().label("n"))
        .where(ballot.c.subject.in_([each.id for each in polls]), body.is_not(None))
        .group_by(ballot.c.subject, body)
    )
    votes: dict[str, int] = defaultdict(int)
    of = {each.id: [0] * each.choices for each in polls}
    for row in await connection.execute(found):
        votes[row.subject] += row.n
        for choice in _chosen(row.chosen):
            of[row.subject][choice] += row.n
    return {id: Counts(votes[id], tuple(numbers)) for id, numbers in of.items()}


def _state(row: Any) -> dict[str, Any]:
    if row.closed is None:
        return {"votes": row.told} if row.told else {}
    return {**json.loads(row.body), "closed": row.closed}


def _chosen(body: bytes) -> tuple[int, ...]:
    return tuple(json.loads(body))


def _is(which: Poll) -> Any:
    return (poll.c.room_id == which.room_id) & (poll.c.seq == which.seq)


def _poll(row: Any) -> Poll:
    return Poll(*row)


_end = entry.alias("ended")
_COLUMNS: Sequence[Any] = (
    *(poll.c.room_id, poll.c.seq, poll.c.id, poll.c.choices, poll.c.multiple, poll.c.final),
    *(poll.c.shown, poll.c.closes, poll.c.told, poll.c.casts, poll.c.closed),
)
_hidden = (entry.c.redacted.is_not(None) | entry.c.hidden.is_not(None)).label("hidden")
_POLLS = select(*_COLUMNS, entry.c.persona, _hidden).select_from(
    poll.join(entry, (entry.c.room_id == poll.c.room_id) & (entry.c.seq == poll.c.seq))
)
