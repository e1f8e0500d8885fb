"""Pages and questions of a week: put to those on duty or available, accepted by one of them, talked about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from lounge.oncall.policy import EVERYONE, Policy, Step
from storage import due
from storage.roles import AGREED, OVERRIDE, SWAP, Change
from tests.attacks.approaches import cid
from tests.journeys import service
from web import wire

if TYPE_CHECKING:
    from tests.attacks.evenings import Plan, Week

ROLES = 2
"""Each of doctors of one badge."""
TEAM = 10
PAUSE_MS, DAY_MS = 200_000, 24 * 3_600_000
MINUTES = 720
_FIRST_S = 60


async def paged(week: Week, plan: Plan) -> Plan:
    """The same plan, with the rooms of its pages among its rooms."""
    teams, rooms = _teams(week)[:ROLES], list[str]()
    for team in teams:
        role = await _role(week, team)
        for _ in range(plan.pages):
            rooms.append(await _paged(week, team, role))
    for _ in range(plan.pages):
        for speaker in (week.speakers[n] for n in teams[0]):
            await week.lounge.oncall.available.switch_on(speaker.doctor, MINUTES)
        rooms.append(await _asked(week, teams[0]))
    return replace(plan, rooms=(*plan.rooms, *rooms))


# -- what happens --------------------------------------------------------------------------------


def _teams(week: Week) -> list[list[int]]:
    """Doctors by badge, in no order of theirs."""
    by_badge: defaultdict[str, list[int]] = defaultdict(list)
    for number, known in enumerate(week.known):
        by_badge[known.badge].append(number)
    return [sorted(each[:TEAM]) for _, each in sorted(by_badge.items()) if len(each) >= 3]


async def _role(week: Week, team: Sequence[int]) -> str:
    """First whose day it is, then everybody. Who has which day is no secret among them: pages come on any."""
    ids = [week.known[n].id for n in team]
    policy = Policy((Step(("primary",), _FIRST_S), Step((EVERYONE,), _FIRST_S)))
    url = week.lounge.settings.identity_url
    role = await service.put_role(url, {"primary": ids}, policy=policy, in_turn=True)
    await service.put_changes(url, *_changes(role, ids, week.clock.now))
    return role


def _changes(role: str, ids: Sequence[str], now: int) -> list[Change]:
    """One has a day whoever it was of; another has a third one's days for as long as everybody has two."""
    day, long = (now + DAY_MS, now + 2 * DAY_MS), (now, now + 2 * TEAM * DAY_MS)
    return [
        _change(role, OVERRIDE, day, ids[0]),
        _change(role, SWAP, long, ids[1], instead_of=ids[2]),
    ]


def _change(
    role: str, kind: str, when: tuple[int, int], doctor: str, *, instead_of: str | None = None
) -> Change:
    return Change(
        f"{kind} of {role}", role, "primary", kind, *when, doctor, instead_of, AGREED, made=when[0]
    )


async def _paged(week: Week, team: Sequence[int], role: str) -> str:
    asker = _somebody(week, team)
    week.clock.now += week.random.randrange(4 * DAY_MS)
    page = wire.Page(
        ref=0, role=role, urgency="now", text=_words(week.random), cid=cid(week.random)
    )
    sent = await week.speakers[asker].does(page)
    await _goes_on(week, team, asker, sent.room)
    return str(sent.room)


async def _asked(week: Week, team: Sequence[int]) -> str:
    asker = _somebody(week, team)
    specialty = week.speakers[team[0]].doctor.specialty
    ask = wire.AskNow(ref=0, specialty=specialty, text=_words(week.random), cid=cid(week.random))
    sent = await week.speakers[asker].does(ask)
    await _goes_on(week, team, asker, sent.room)
    return str(sent.room)


async def _goes_on(week: Week, team: Sequence[int], asker: int, room: str) -> None:
    """To everybody; then one of them accepts, and the two talk."""
    week.openers[room, 1] = asker
    week.clock.now += PAUSE_MS
    for each in await _waiting(week, room):
        if each.kind == "page.step":
            await week.lounge.oncall.dues.handle[each.kind](each)
            break
    for number in team:
        own = week.lounge.personas.id_of(week.known[number].id, room)
        week.alerted[own] = room, number
    acceptor = week.random.choice(list(team))
    accept = wire.PageAnswer(ref=0, room=room, accept=True, cid=cid(week.random))
    await week.speakers[acceptor].does(accept)
    for number in (asker, acceptor, asker):
        await week.speakers[number].sits([room])
        seq = await week.speakers[number].says(room, week.random, face="anonymous")
        week.authors[room, seq] = number


async def _waiting(week: Week, room: str) -> Sequence[due.Due]:
    async with week.lounge.database.reading() as connection:
        return await due.waiting(connection, room)


def _somebody(week: Week, team: Sequence[int]) -> int:
    return week.random.choice([n for n in range(len(week.speakers)) if n not in team])


def _words(random: Random) -> str:
    return " ".join(cid(random)[:7] for _ in range(4))
