"""S5 and S6: the page at three in the morning, and the rota over both changes of the clocks."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lounge.clock import now_ms
from tests.backends import on_postgres
from tests.journeys import served, service
from tests.journeys.crowd import Member
from tests.journeys.served import Served
from tests.journeys.service import NUMBER
from tests.journeys.talker import Talker
from tests.processes import Run

TEXT = "Basilar occlusion, NIHSS 18, last seen well 01:40."
WAIT_SECONDS = 60
BEFORE_MS = 1_000
"""So long before a step is due the server that took the page is killed."""


@dataclass(slots=True)
class Night:
    """Ben asks; Chiara has the role first, Denis second, Ana is in its tier."""

    servers: Sequence[Served]
    identity_url: str
    lounge_url: str
    ids: dict[str, str]
    ben: Member
    chiara: Member
    denis: Member
    ana: Member
    room: str = ""

    async def role(self, **other: Any) -> str:
        layers = {"primary": [self.ids["chiara"]], "secondary": [self.ids["denis"]]}
        waits = service.soon(WAIT_SECONDS, WAIT_SECONDS, WAIT_SECONDS)
        tier = [self.ids["ana"]]
        return await service.put_role(self.identity_url, layers, tier, policy=waits, **other)

    async def pages(self, role: str, **other: Any) -> dict[str, Any]:
        asked = {"role": role, "urgency": "now", "text": TEXT, **other}
        answer = await self.ben.does(op="page", **asked)
        assert answer["op"] == "ok", answer
        self.room = answer["room"]
        return answer

    async def is_nearly_due(self) -> None:
        """In a second the next step is to be done."""
        due = now_ms() + BEFORE_MS
        await service.put_forward(self.lounge_url, "page.step", self.room, due)

    async def killed_before(self) -> None:
        """The server that took it ends a second before the step is due, and another one does it."""
        await self.is_nearly_due()
        self.servers[0].worker().kill()
        if len(self.servers) == 1:
            await self.servers[0].back()

    async def told(self, who: Member, notice: str, many: int = 1) -> list[dict[str, Any]]:
        """What the doctor's own log says of it, once there are so many."""
        async with asyncio.timeout(60):
            while len(found := self._told(who, notice)) < many:
                await self._again(who)
        return found

    async def sees(self, **wanted: Any) -> dict[str, Any]:
        """The state that the asker is shown, once it is so."""
        async with asyncio.timeout(60):
            while True:
                for heard in self.ben.talker.logs.get(self.room, ()):
                    state: dict[str, Any] = json.loads(heard.frame).get("state", {})
                    if wanted.items() <= state.items():
                        return state
                await self._again(self.ben)

    def _told(self, who: Member, notice: str) -> list[dict[str, Any]]:
        log = [json.loads(each.frame) for each in who.talker.logs["me"]]
        return [e for e in log if e.get("about") == self.room and e.get("notice") == notice]

    async def _again(self, who: Member) -> None:
        """On with her line, or another one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1), who.talker._news:
                await who.talker._news.wait()
        if who.talker._reader is None or who.talker._reader.done():
            await who.connect()


@contextlib.asynccontextmanager
async def falls(
    servers: Sequence[Served], folder: Path, urls: dict[str, str]
) -> AsyncIterator[Night]:
    names = ("ben", "chiara", "denis", "ana")
    tokens = await servers[0].tokens(len(names))
    identity = urls.get("identity_url", f"sqlite+aiosqlite:///{folder}/identity.db")
    lounge = urls.get("database_url", f"sqlite+aiosqlite:///{folder}/lounge.db")
    ids = await service.ids_of(identity, tokens)
    await asyncio.gather(*(each.start() for each in servers))
    members = [Member(Talker(token), servers) for token in tokens]
    for each in members:
        await each.connect()
        await each.enters("me")
    ben, chiara, denis, ana = members
    by_name = dict(zip(names, ids, strict=True))
    yield Night(servers, identity, lounge, by_name, ben, chiara, denis, ana)
    for each in members:
        await each.talker.close()
        assert each.talker.faults == []


@pytest.mark.timeout(240)
async def test_a_page_is_escalated_although_the_server_that_kept_its_time_is_killed(
    run: Run, tmp_path: Path
) -> None:
    server = Served(run, tmp_path, LOUNGE_BENCH="1")
    async with falls([server], tmp_path, {}) as night:
        await _the_night(night)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_on_two_servers_the_other_one_escalates_at_once(
    run: Run, tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async with on_postgres(postgres_url) as urls:
        environ = {**served.on_postgres(urls), "REDIS_URL": redis_url, "LOUNGE_BENCH": "1"}
        servers = [Served(run, tmp_path, **environ) for _ in range(2)]
        async with falls(servers, tmp_path, urls) as night:
            await _the_night(night)


async def _the_night(night: Night) -> None:
    role = await night.role()
    answer = await night.pages(role, formal=True)
    assert (answer["phase"], answer["number"]) == ("sent", NUMBER)
    await night.ben.enters(night.room)
    await night.told(night.chiara, "page")
    for mark in ("delivered", "seen"):
        asked = {"op": "page_mark", "room": night.room, "mark": mark}
        assert (await night.chiara.talker.ask(asked))["op"] == "ok"
    seen = await night.sees(phase="seen")
    assert "accepted" not in seen["stamps"]
    await night.killed_before()
    (second,) = await night.told(night.denis, "page")
    assert second["layer"] == "secondary"
    if len(night.servers) > 1:
        await night.servers[0].back()
        await night.killed_before()
    else:  # it has been killed once
        await night.is_nearly_due()
    (tier,) = await night.told(night.ana, "page")
    assert tier["text"] == TEXT
    await night.sees(step=3)
    await _accepted_by_one(night)
    pages = await service.told(night.lounge_url)
    (page,) = [each for each in pages if each.room == night.room]
    assert [state["step"] for _, state in page.steps] == [1, 2, 3]
    assert page.ends == ["accepted"]
    assert len(await night.told(night.denis, "page", 2)) == 2  # second, and then one of everyone
    await _waits_for_the_morning(night)


async def _accepted_by_one(night: Night) -> None:
    """Two in the same moment: one has it, the other is told who, and nobody is asked any more."""
    accept = {"op": "page_answer", "room": night.room, "accept": True, "formal": True}
    both = (night.denis, night.ana)
    answers = await asyncio.gather(*(each.does(**accept) for each in both))
    codes = [answer.get("code") for answer in answers]
    assert sorted(codes, key=str) == [None, "frozen"], answers
    winner, loser = both if codes[0] is None else both[::-1]
    (taken,) = [answer for answer in answers if answer["op"] == "error"]
    assert taken["message"]
    for each in (night.chiara, loser, winner):
        (over,) = await night.told(each, "page_over")
        assert over["phase"] == "accepted"
    state = await night.sees(phase="accepted")
    assert state["formal"] is True
    (formal,) = await night.told(night.ben, "page_formal")
    (other,) = await night.told(winner, "page_formal")
    assert formal["name"]
    assert other["name"]
    assert night._told(loser, "page_formal") == night._told(night.chiara, "page_formal") == []


async def _waits_for_the_morning(night: Night) -> None:
    """What is routine at three at night, unless there is a reason."""
    at_night = await night.role(zone=_where_it_is_three(), night=service.AT_NIGHT)
    waits = await night.pages(at_night, urgency="routine")
    assert waits["phase"] == "waiting"
    until = datetime.fromisoformat(waits["until"]) - datetime.now(UTC)
    assert 2 < until.total_seconds() / 3600 < 5
    assert night._told(night.chiara, "page") == []
    sent = await night.pages(
        at_night, urgency="routine", override="He leaves by helicopter at four."
    )
    assert sent["phase"] == "sent"
    await night.told(night.chiara, "page")
    await night.ben.does(op="page_end", room=night.room)
    (over,) = await night.told(night.chiara, "page_over")
    assert over["phase"] == "withdrawn"


def _where_it_is_three() -> str:
    """A zone in which it is between three and four at night now. `Etc/GMT+5` is five hours behind."""
    behind = (datetime.now(UTC).hour - 3) % 24
    return f"Etc/GMT{f'+{behind}' if behind <= 12 else f'-{24 - behind}'}"
