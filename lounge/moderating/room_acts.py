"""What moderators do with a room: make it slow, freeze it, close a thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lounge.acting import Plan, Seat
from lounge.conversation import Conversation
from lounge.door import Guest
from lounge.drafts import draft
from lounge.errors import Code, Refusal
from lounge.moderating.asked import Asked
from lounge.moderating.scopes import Scopes, is_thread
from lounge.oncall.places import is_page
from lounge.talks import is_talk
from storage import moderating, talks
from storage.acts import Noted, Outcome, Step
from storage.database import Database
from storage.moderating import RoomMode
from storage.talks import CLOSED, OPEN


class RoomActs:
    """Each may be repeated with its client id. Raises Refusal."""

    def __init__(self, *, database: Database, conversation: Conversation, scopes: Scopes) -> None:
        self._database = database
        self._conversation = conversation
        self._scopes = scopes

    async def slow(self, guest: Guest, asked: Asked) -> Outcome:
        """Each doctor waits so many `seconds` between two says there; 0: no longer."""
        if asked.seconds is None:
            raise Refusal(Code.INVALID, "refusal.seconds_needed", field="seconds")
        seconds = asked.seconds
        return await self._mode(guest, asked, lambda was: (seconds, was.frozen))

    async def freeze(self, guest: Guest, asked: Asked) -> Outcome:
        """All read it and nobody adds to it, or they may again; what a moderator closed is open again."""
        return await self._mode(guest, asked, lambda was: (was.slow, asked.on))

    async def close(self, guest: Guest, asked: Asked) -> Outcome:
        """Nothing is added any more to a consult or a talk. Of a talk `seq` is what was reported there."""
        if asked.reason is None:
            raise Refusal(Code.INVALID, "refusal.reason_needed", field="reason")
        if not is_thread(asked.room) or is_page(asked.room):  # who paged must get an answer
            raise Refusal(Code.INVALID, "refusal.no_thread", field="room")
        seat = await self._seat(guest, asked)

        async def plan() -> Plan:
            was = await self._stands(seat)
            if was.frozen or (is_talk(asked.room) and not await self._is_open(asked.room)):
                raise Refusal(Code.FROZEN, "refusal.closed_already")
            body = {"role": "moderator", "reason": asked.reason}
            steps = (moderating.set_mode(seat.number, was, was.slow, frozen=True),)
            return Plan(
                draft("mod.close", body),
                (*steps, *_ended(asked.room)),
                noted=_noted("room.closed", asked),
            )

        return await self._done(seat, asked, plan)

    # -- privates --------------------------------------------------------------------------------

    async def _mode(
        self, guest: Guest, asked: Asked, change: Callable[[RoomMode], tuple[int, bool]]
    ) -> Outcome:
        if is_talk(asked.room) or is_page(asked.room):
            raise Refusal(Code.INVALID, "refusal.no_mode", field="room")
        seat = await self._seat(guest, asked)

        async def plan() -> Plan:
            was = await self._stands(seat)
            slow, frozen = change(was)
            body = {"role": "moderator", "slow": slow, "frozen": frozen, "reason": asked.reason}
            steps = (moderating.set_mode(seat.number, was, slow, frozen=frozen),)
            noted = _noted(f"room.{asked.act}", asked, slow=str(slow), frozen=str(frozen).lower())
            return Plan(draft("mod.mode", body), steps, noted=noted)

        return await self._done(seat, asked, plan)

    async def _seat(self, guest: Guest, asked: Asked) -> Seat:
        reported = (
            asked.seq if is_talk(asked.room) else None
        )  # elsewhere an act is on the whole room
        await self._scopes.admit(guest.doctor, asked.room, reported)
        return await self._conversation.seat_above(guest, asked.room)

    async def _stands(self, seat: Seat) -> RoomMode:
        async with self._database.reading() as connection:
            return await moderating.mode_of(connection, seat.number)

    async def _is_open(self, room_id: str) -> bool:
        async with self._database.reading() as connection:
            found = await talks.by_slug(connection, [room_id])
        return any(each.state == OPEN for each in found.values())

    async def _done(self, seat: Seat, asked: Asked, plan: Callable[[], Awaitable[Plan]]) -> Outcome:
        request = self._conversation.request(seat, asked.cid, *asked.content)
        return await self._conversation.planned(seat, request, plan)


def _ended(room_id: str) -> tuple[Step, ...]:
    return (talks.moving(room_id, OPEN, CLOSED),) if is_talk(room_id) else ()


def _noted(act: str, asked: Asked, **detail: str) -> Noted:
    why = {"reason": asked.reason} if asked.reason else {}
    return Noted(act, "moderator", asked.room, {**why, **detail})
