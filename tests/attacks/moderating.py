"""A week has moderators, too: reports of every weight, claims, outcomes, appeals, and another's decision."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from lounge.doctors import Visit
from lounge.door import Guest
from storage import appeals, reports
from tests.attacks.approaches import together
from web import wire

if TYPE_CHECKING:
    from tests.attacks.evenings import Plan, Speaker, Week

KINDS = ("patient_identifiable", "dangerous_advice", "advertising", "harassment")


async def moderated(week: Week, plan: Plan) -> None:
    """Some entries are reported by four doctors each, and what a crowd has hidden is appealed."""
    await _judged(week)
    places = sorted(each for each in week.authors if each[0] in plan.rooms)
    chosen = week.random.sample(places, min(plan.reports, len(places) // 6))
    reported = [
        _reports(week, speaker, room, seq, KINDS[n % len(KINDS)])
        for n, (room, seq) in enumerate(chosen)
        for speaker in week.random.sample(week.speakers, 4)
    ]
    await together(reported)
    await _appealed(week, chosen)
    await _closed(week, moderator(week, "moderator"))
    await _decided(week, moderator(week, "another"))


async def _reports(week: Week, speaker: Speaker, room: str, seq: int, kind: str) -> None:
    await speaker.sits([room])
    await speaker.does(wire.Report(ref=0, room=room, seq=seq, cid=week.cid(), kind=kind))


def moderator(week: Week, id: str) -> Guest:
    """One who speaks nowhere."""
    roles = frozenset({"doctor", "moderator"})
    visit = Visit(replace(week.speakers[0].doctor, id=id, roles=roles), "session", None)
    return Guest(visit, week.lounge.writer.epoch, lambda _: None)


async def _judged(week: Week) -> None:
    """A third has mostly been right, a third hardly ever."""
    lounge = week.lounge
    async with lounge.identity_database.writing() as connection:
        for n, speaker in enumerate(week.speakers):
            things = await lounge.belongings.held(connection, speaker.doctor_id)
            if things is not None and n % 3:
                changed = msgspec.structs.replace(things, judged=(n % 3 == 1,) * 8)
                await lounge.belongings.put(connection, speaker.doctor_id, changed)


async def _appealed(week: Week, chosen: list[tuple[str, int]]) -> None:
    """By its author, whatever is hidden."""
    for room, seq in chosen:
        event = (await week.lounge.transcript.at(room, [seq])).items[0]
        if b'"hidden"' in event.payload:
            author = week.speakers[week.authors[room, seq]]
            await author.does(
                wire.Appeal(ref=0, room=room, seq=seq, text="It was a colleague.", cid=week.cid())
            )


async def _closed(week: Week, guest: Guest) -> None:
    """One report in four, upheld and dismissed in turn; the others stay open."""
    queue = week.lounge.moderating.queue
    async with week.lounge.database.reading() as connection:
        found = await reports.open_reports(connection, 1_000)
    for n, report in enumerate(found):
        async with week.lounge.database.reading() as connection:
            if (now := await reports.by_id(connection, report.id)) is None or now.outcome or n % 4:
                continue
        await queue.claim(guest.doctor, report.id)
        await queue.remark(guest.doctor, report.id, "Looked at before.")
        await queue.close(guest, report.id, "upheld" if n % 8 else "dismissed", None)


async def _decided(week: Week, guest: Guest) -> None:
    """The first half of the appeals."""
    async with week.lounge.database.reading() as connection:
        found = await appeals.open_appeals(connection, 1_000)
    for n, appeal in enumerate(found[: len(found) // 2]):
        await week.lounge.moderating.appeals.claim(guest.doctor, appeal.id)
        part = week.lounge.moderating.appeals
        await part.close(guest, appeal.id, "lifted" if n % 2 else "upheld")
