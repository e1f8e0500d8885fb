"""Appeals: an author asks that another moderator look again at what was decided about her entry."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge import policy
from lounge.acting import Plan
from lounge.clock import now_ms
from lounge.conversation import Conversation
from lounge.doctors import Doctor, Doctors
from lounge.door import Guest
from lounge.errors import Code, Refusal
from lounge.guarding import Waiver
from lounge.keys import Keys
from lounge.limits import REPORTS, Limits
from lounge.moderating import evidence as copies
from lounge.moderating.acts import Acts
from lounge.moderating.asked import Asked
from lounge.moderating.claims import Claims
from lounge.moderating.docket import Docket
from lounge.moderating.hands import Hands
from lounge.moderating.restricted import Restricted
from lounge.moderating.sanctioning import WARNING, Sanctioning
from lounge.moderating.scopes import Scopes
from lounge.notices import letter
from lounge.personas import MOST_RETIRED, Personas
from lounge.sanctions import REMOVE, Sanction, Sanctions
from lounge.talks import Talks
from storage import appeals, audit, entries, hands, outbox, sanctions
from storage.acts import Noted, Outcome
from storage.appeals import Appeal
from storage.database import Database
from storage.entries import Standing

TEXT_CODE_POINTS = 500
SHOWN = 100
_BY = "moderator"
_MOST_READ = 1_000
Against = Literal["hide", "warn", "mute", "remove"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open appeal as one moderator sees it: against what, for which `reason`; `event`: as it stands, JSON.

    `words`: what a hidden entry says, where it is hers.
    """

    appeal: Appeal
    act: Against
    reason: str | None
    claimed: Literal["mine", "other"] | None
    event: bytes | None
    words: str | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """`until` in ms."""

    until: int
    words: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeals:
    """Every method asks whether she may, and raises Refusal; what is read is in the audit before it is."""

    database: Database
    doctors: Doctors
    personas: Personas
    talks: Talks
    conversation: Conversation
    limits: Limits
    keys: Keys
    sanctions: Sanctions
    sanctioning: Sanctioning
    acts: Acts
    scopes: Scopes
    claims: Claims
    hands: Hands
    docket: Docket
    restricted: Restricted
    clock: Callable[[], int] = now_ms

    # -- the author ------------------------------------------------------------------------------

    async def appeal(
        self, guest: Guest, room: str, seq: int, text: str, cid: str, *, not_patient: bool = False
    ) -> Outcome:
        """Against the hiding of her entry, or the sanction that she was told of with it. Once each.

        She need not be let into the room.
        """
        policy.require_open(guest.doctor)
        await self._must_exist(room)
        seat = await self.conversation.seat_above(guest, room)
        request = self.conversation.request(seat, cid, "appeal", seq, text)
        known = await self.conversation.receipt(request)
        if known is not None:
            return known
        self.limits.spend(REPORTS, guest.doctor.id)
        waiver = Waiver(not_patient=not_patient, room=room)
        self.conversation.clean(text, "text", TEXT_CODE_POINTS, waiver)

        async def plan() -> Plan:
            act = await self._what_stands(guest.doctor, room, seat.number, seq)
            id = secrets.token_urlsafe(12)
            filed = appeals.file(
                id=id, act=act, room_id=seat.number, seq=seq, text=text, at=self.clock()
            )
            noted = Noted("appeal.filed", "author", f"{room} {seq}", {"appeal": id})
            return Plan(None, (appeals.none_against(act), filed), noted=noted)

        return await self.conversation.planned(seat, request, plan)

    async def _must_exist(self, room: str) -> None:
        async with self.database.reading() as connection:
            if not await entries.heads(connection, [room]):
                raise Refusal(Code.NOT_FOUND, "refusal.nothing_to_appeal")

    async def _what_stands(self, doctor: Doctor, room: str, number: int, seq: int) -> str:
        """What she can appeal, as its hand has it: first that the entry is hidden."""
        async with self.database.reading() as connection:
            was = await entries.standing(connection, number, seq)
            details = await appeals.sanctioned_for(connection, room, seq)
        if was is None or not await self._is_own(doctor, room, was):
            raise Refusal(Code.NOT_FOUND, "refusal.nothing_to_appeal")
        told = {str(json.loads(each).get("sanction")) for each in details}
        standing = [each.id for each in self.sanctions.of(doctor.id) if each.id in told]
        standing += sorted(each for each in told if each.startswith(f"{WARNING} "))
        acts = [f"{room} {was.hidden}"] if was.hidden and was.redacted is None else []
        return await self._first_new([*acts, *standing])

    async def _is_own(self, doctor: Doctor, room: str, was: Standing) -> bool:
        home = str(was.body.get("consult", await self.talks.home_of(room)))
        return was.persona in self.personas.ids_of(doctor.id, home, MOST_RETIRED)

    async def _first_new(self, acts: list[str]) -> str:
        async with self.database.reading() as connection:
            for act in acts:
                if await appeals.against(connection, act) is None:
                    return act
        if acts:
            raise Refusal(Code.INVALID, "refusal.appealed", field="seq")
        raise Refusal(Code.NOT_FOUND, "refusal.nothing_to_appeal")

    # -- the other moderator ---------------------------------------------------------------------

    async def open(self, doctor: Doctor) -> list[Waiting]:
        """What is hers to decide, the oldest first; what was her own hand is another's."""
        if not policy.may_moderate(doctor):
            raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")
        await self.restricted.read("appeals")
        found = await self._of_hers(doctor)
        async with self.database.reading() as connection:
            standing = {each.id: each for each in await sanctions.in_force(connection, 0)}
        events = await self.docket.events({(each.room, each.seq) for each in found})
        waiting = []
        for each in found:
            sanction = standing.get(each.act)
            claimed = self.claims.whose(doctor.id, each)
            waiting.append(
                Waiting(
                    appeal=each,
                    act=_against(each, sanction),
                    reason=sanction.reason if sanction else await self._why(each),
                    claimed=claimed,
                    event=events.get((each.room, each.seq)),
                    words=await self._shown(each) if claimed == "mine" else None,
                )
            )
        return waiting

    async def claim(self, doctor: Doctor, id: str) -> Claimed:
        """Hers for 15 minutes, or 15 more. Refused: another's, and what she did herself."""
        appeal = await self._hers(doctor, id)
        until = self.claims.until()
        async with self.database.writing() as connection:
            appeal = await self._held(connection, doctor, appeal.id)
            await appeals.set_claim(connection, id, self.claims.mark(doctor.id, id), until)
            await _note(connection, "appeal.claimed", appeal)
        return Claimed(until, await self._shown(appeal))

    async def release(self, doctor: Doctor, id: str) -> None:
        """Anybody's turn again."""
        await self._hers(doctor, id)
        async with self.database.writing() as connection:
            appeal = await self._held(connection, doctor, id, is_hers=True)
            await appeals.set_claim(connection, id, None, None)
            await _note(connection, "appeal.released", appeal)

    async def close(self, guest: Guest, id: str, outcome: Literal["upheld", "lifted"]) -> None:
        """What it is against stands, or is taken back; its author is told."""
        doctor = guest.doctor
        appeal = await self._hers(doctor, id)
        self.claims.is_hers(doctor.id, appeal)
        if outcome == "lifted":
            await self._take_back(guest, appeal)
        author = await self._author(appeal)
        async with self.database.writing() as connection:
            await self._held(connection, doctor, id, is_hers=True)
            await appeals.close(connection, id, outcome, self.clock())
            if author is not None:
                notice = {"notice": f"appeal_{outcome}", "about": appeal.room}
                told = letter(self.keys, author, {**notice, "target": appeal.seq}, at=self.clock())
                await outbox.put(connection, told)
            await _note(connection, "appeal.closed", appeal, outcome=outcome)

    # -- privates --------------------------------------------------------------------------------

    async def _of_hers(self, doctor: Doctor) -> list[Appeal]:
        """As many as are shown, however many of others lie before them."""
        found: list[Appeal] = []
        for after in range(0, _MOST_READ, SHOWN):
            async with self.database.reading() as connection:
                page = await appeals.open_appeals(connection, SHOWN, after)
                rows = await hands.of(connection, [each.act for each in page])
            own = {each.act for each in rows if self.hands.is_own(doctor.id, [each])}
            others = [each for each in page if each.act not in own]
            places = {(each.room_id, each.seq): each.room for each in others}
            hers = await self.docket.hers(doctor, places)
            found += [each for each in others if (each.room_id, each.seq) in hers]
            if len(page) < SHOWN or len(found) >= SHOWN:
                break
        return found[:SHOWN]

    async def _hers(self, doctor: Doctor, id: str) -> Appeal:
        """She may decide it: appointed there, not among who speaks, and it was not her hand."""
        async with self.database.reading() as connection:
            appeal = await appeals.by_id(connection, id)
            rows = await hands.of(connection, [appeal.act]) if appeal else []
        if not policy.may_moderate(doctor):
            raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")
        if appeal is None or appeal.outcome is not None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_appeal")
        if self.hands.is_own(doctor.id, rows):
            raise Refusal(Code.FORBIDDEN, "refusal.own_hand")
        what = await self.scopes.about(appeal.room, appeal.seq)
        if not self.scopes.covers(doctor, what):
            raise Refusal(Code.FORBIDDEN, "refusal.out_of_scope")
        await self.scopes.apart(doctor, appeal.room, appeal.seq)
        return appeal

    async def _held(
        self, connection: AsyncConnection, doctor: Doctor, id: str, *, is_hers: bool = False
    ) -> Appeal:
        appeal = await appeals.by_id(connection, id, lock=True)
        if appeal is None or appeal.outcome is not None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_appeal")
        self.claims.is_free_for(doctor.id, appeal)
        if is_hers:
            self.claims.is_hers(doctor.id, appeal)
        return appeal

    async def _take_back(self, guest: Guest, appeal: Appeal) -> None:
        """Restored or lifted; nothing to do where that was done meanwhile."""
        async with self.database.reading() as connection:
            was = await entries.standing(connection, appeal.room_id, appeal.seq)
            standing = {each.id for each in await sanctions.in_force(connection, self.clock())}
        if appeal.act in standing:
            await self.sanctioning.end(guest.doctor, appeal.act)
        elif was is not None and appeal.act == f"{appeal.room} {was.hidden}":
            cid = f"appeal {appeal.id}"
            asked = Asked(room=appeal.room, act="restore", cid=cid, seq=appeal.seq, reason="other")
            await self.acts.do(guest, asked)

    async def _author(self, appeal: Appeal) -> str | None:
        async with self.database.reading() as connection:
            was = await entries.standing(connection, appeal.room_id, appeal.seq)
        if was is None or was.persona is None:
            return None
        home = str(was.body.get("consult", await self.talks.home_of(appeal.room)))
        doctor_ids = await self.doctors.verified_ids()
        return await self.personas.owner(was.persona, home, doctor_ids)

    async def _why(self, appeal: Appeal) -> str | None:
        if not _is_warning(appeal):
            return await self._why_hidden(appeal)
        async with self.database.reading() as connection:
            details = await appeals.sanctioned_for(connection, appeal.room, appeal.seq)
        said = [json.loads(each) for each in details]
        return next((each["reason"] for each in said if each.get("sanction") == appeal.act), None)

    async def _why_hidden(self, appeal: Appeal) -> str | None:
        seq = int(appeal.act.rpartition(" ")[2]) if appeal.act.startswith(f"{appeal.room} ") else 0
        async with self.database.reading() as connection:
            by = await entries.standing(connection, appeal.room_id, seq) if seq else None
        return str(by.body["reason"]) if by and "reason" in by.body else None

    async def _shown(self, appeal: Appeal) -> str | None:
        """Its entry's words, noted before."""
        await self.restricted.read("evidence", f"{appeal.room} {appeal.seq}")
        return await self._words(appeal)

    async def _words(self, appeal: Appeal) -> str | None:
        async with self.database.reading() as connection:
            was = await entries.standing(connection, appeal.room_id, appeal.seq)
        return None if was is None or was.redacted is not None else copies.words(was)


async def _note(connection: AsyncConnection, act: str, appeal: Appeal, **detail: str) -> None:
    place = f"{appeal.room} {appeal.seq}"
    said = {"appeal": appeal.id, **detail}
    await audit.append_lounge(connection, act, by=_BY, about=place, detail=said)


def _against(appeal: Appeal, sanction: Sanction | None) -> Against:
    if appeal.act.startswith(f"{appeal.room} "):
        return "hide"
    if _is_warning(appeal):
        return "warn"
    return "remove" if sanction is not None and sanction.kind == REMOVE else "mute"


def _is_warning(appeal: Appeal) -> bool:
    return appeal.act.startswith(f"{WARNING} ")
