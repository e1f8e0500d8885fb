"""Counting polls, by whichever process comes to it: in steps of time while they are open, and at their end.

Counts are told to all together and in steps of thirty seconds, so that no vote is seen to come.
"""

from __future__ import annotations

from lounge.acting import ATTEMPTS
from lounge.drafts import draft
from lounge.house_acts import HouseActs
from storage import due, polls
from storage.acts import Draft, Step
from storage.database import Database
from storage.due import Due
from storage.polls import Poll

COUNT, CLOSE = "poll.count", "poll.close"
"""Kinds of what is due about a poll; its subject is the poll's id."""
STEP_MS = 30_000


def count_soon(poll: Poll, now: int) -> Step:
    """For the act that puts a ballot: it is counted with all others of the same half minute."""
    at = (now // STEP_MS + 1) * STEP_MS
    return due.add(f"{COUNT} {poll.id} {at}", COUNT, poll.id, at)


class Counting:
    """What is due about polls. Raises StorageError."""

    def __init__(self, database: Database, house_acts: HouseActs) -> None:
        self._database = database
        self._house_acts = house_acts

    async def count(self, what: Due) -> None:
        """Tell all how many have voted; whoever sees counts may ask for them anew."""
        poll = await self._find(what)
        if poll.closed is not None:
            await self._nothing(what, poll)
            return
        await self._house_acts.do(poll.room_id, steps=(polls.telling(poll),))
        async with self._database.reading() as connection:
            votes = (await polls.shown(connection, [poll]))[poll.id].votes
        entry = draft("poll.count", {"votes": votes}, target=poll.seq)
        steps = (due.done(what.id), polls.counting(poll, votes))
        await self._house_acts.do(poll.room_id, (entry,), steps)

    async def close(self, what: Due) -> None:
        """Its time is over."""
        for _ in range(ATTEMPTS):  # a ballot that came in between is counted
            poll = await self._find(what)
            if poll.closed is not None:
                await self._nothing(what, poll)
                return
            entry, steps = await self.ending(poll)
            if await self._house_acts.do(poll.room_id, (entry,), (due.done(what.id), *steps)):
                return

    async def ending(self, poll: Poll) -> tuple[Draft, tuple[Step, ...]]:
        """The entry that ends a poll, and its guards: the counts are of every ballot that there is."""
        async with self._database.reading() as connection:
            counts = await polls.cast(connection, poll)
        body = {"votes": counts.votes, "counts": list(counts.of)}
        steps = (
            *polls.closing(poll, counts.votes),
            due.forget(CLOSE, poll.id),
            due.forget(COUNT, poll.id),
        )
        return draft("poll.close", body, target=poll.seq), steps

    async def _find(self, what: Due) -> Poll:
        async with self._database.reading() as connection:
            found = await polls.by_id(connection, what.subject)
        assert found is not None  # polls stay
        return found

    async def _nothing(self, what: Due, poll: Poll) -> None:
        """It has ended meanwhile."""
        await self._house_acts.do(poll.room_id, steps=(due.done(what.id),))
