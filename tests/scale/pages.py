"""A thousand pages while servers are killed: each has one end, no step fires twice, and none is late.

Doctors decline, look, accept late or do nothing, as chance has it. Then two race for each of six hundred
pages, the first hundred one at a time, each through a server of her own: one wins, and the other is told so.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any

import psutil

from tests.journeys import service
from tests.journeys.crowd import Member
from tests.journeys.service import Told
from tests.journeys.talker import Lost, Talker
from tests.scale.house import Backend, Server, Stores, stores
from tests.scale.report import Figure, Report, Table, percentile
from tests.support import new_cid
from web.valkey import EmbeddedValkey

BACKENDS: tuple[Backend, ...] = ("sqlite", "postgres")
LONGEST_SECONDS = 1_200
PAGES = int(os.environ.get("LOUNGE_SCALE_PAGES", "1000"))
RACES = PAGES // 2
AT_ONCE, ROLES, ASKERS = 16, 12, 20
RACING = 10
CALM = max(1, RACES // RACING // 5)
"""So many races of each two while no others race: there notices are timed against what is promised."""
EACH = 4
"""Doctors of a role: first, second, and two more."""
STEP_SECONDS = (2, 2, 3)
HARM_SECONDS = (4.0, 9.0)
MOST_LATE_SECONDS = 2.0
MOST_TOLD_SECONDS = 1.0
PATIENCE_SECONDS = 180
SEED = int(os.environ.get("LOUNGE_TEST_SEED", "0")) or secrets.randbelow(10**9)


@dataclass(slots=True)
class Steady(Member):
    """Who does several things at once over one line: when it is lost, one of them makes another."""

    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _lines: int = 0

    async def connect(self) -> None:
        stood = self._lines
        async with self._turn:
            while self._lines == stood:
                with contextlib.suppress(AssertionError, TimeoutError):
                    await Member.connect(self)
                    self._lines += 1


@dataclass(slots=True)
class Ward:
    """Servers, who is on them, and what happened to them."""

    where: Stores
    servers: Sequence[Server]
    identity_url: str
    lounge_url: str
    chance: random.Random
    down: list[tuple[int, float, float]] = field(default_factory=list)
    """Which server was away, from when until when."""
    letters: Counter[tuple[int, str]] = field(default_factory=Counter)
    """How often each doctor was alerted to each page."""
    answers: Counter[str] = field(default_factory=Counter)
    reacting: set[asyncio.Task[None]] = field(default_factory=set)

    def away(self, since: float, until: float) -> float:
        """For how many of these seconds every server was away, so that nobody could do anything."""
        if len(self.servers) > 1:  # they are killed one after the other
            return 0.0
        spans = [(max(began, since), min(ended, until)) for _, began, ended in self.down]
        return sum(max(0.0, ended - began) for began, ended in spans)


@dataclass(slots=True)
class Ears:
    """When doctors heard of pages, by our own clock: from before one sends or accepts to whoever is told."""

    began: list[tuple[str, str, Sequence[int], float]] = field(default_factory=list)
    """Which notice, of which room, to whom (their numbers), and since when it is on its way."""
    heard: dict[tuple[str, str, int], float] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def of(self, members: Sequence[Member]) -> AsyncIterator[None]:
        """Listens to what these are told, and at the end waits for what is still on its way."""
        following = [asyncio.create_task(self._follow(each)) for each in members]
        try:
            yield
            with contextlib.suppress(TimeoutError):
                await _until(lambda: not self.missing())
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)

    async def _follow(self, member: Member) -> None:
        talker = member.talker
        at = len(talker.logs["me"])
        while True:
            async with talker._news:
                await talker._news.wait_for(lambda at=at: len(talker.logs["me"]) > at)  # type: ignore[misc]
            now, new = monotonic(), talker.logs["me"][at:]
            at += len(new)
            for event in (json.loads(each.frame) for each in new):
                if event.get("notice") in _TOLD:
                    self.heard.setdefault((event["notice"], event["about"], member.number), now)

    def missing(self) -> int:
        return sum(
            (notice, room, number) not in self.heard
            for notice, room, whom, _ in self.began
            for number in whom
        )

    def seconds(self, notice: str) -> list[float]:
        """How long each of these that came took."""
        return [
            self.heard[name, room, number] - since
            for name, room, whom, since in self.began
            for number in whom
            if name == notice and (name, room, number) in self.heard
        ]


async def run(backend: Backend) -> Report:
    """First with harm, then the races."""
    async with _ward(backend) as ward:
        tokens = await ward.where.tokens(ROLES * EACH + ASKERS)
        ids = await service.ids_of(ward.identity_url, tokens)
        await asyncio.gather(*(each.start() for each in ward.servers))
        members = [Steady(Talker(token), ward.servers, number=n) for n, token in enumerate(tokens)]
        await asyncio.gather(*(each.connect() for each in members))
        crew, askers = members[: ROLES * EACH], members[ROLES * EACH :]
        harmed = await _harmed(ward, crew, askers, ids)
        raced = await _raced(ward, crew, askers, ids)
        for each in members:
            await each.talker.close()
    return Report("pages", backend, (harmed, raced), (f"Seed {SEED}.", *_NOTES))


@contextlib.asynccontextmanager
async def _ward(backend: Backend) -> AsyncIterator[Ward]:
    valkey = EmbeddedValkey()
    await valkey.start()
    try:
        async with stores(backend) as where:
            count = 1 if backend == "sqlite" else 2
            servers = [Server(where, redis_url=valkey.url) for _ in range(count)]
            folder = where.folder
            identity = where.identity_url or f"sqlite+aiosqlite:///{folder}/identity.db"
            lounge = where.lounge_url or f"sqlite+aiosqlite:///{folder}/lounge.db"
            try:
                yield Ward(where, servers, identity, lounge, random.Random(SEED))
            finally:
                for each in servers:
                    each.close()
    finally:
        await valkey.stop()


# -- a thousand pages ----------------------------------------------------------------------------


async def _harmed(
    ward: Ward, crew: Sequence[Member], askers: Sequence[Member], ids: Sequence[str]
) -> Table:
    roles = [await _role(ward, ids[n : n + EACH]) for n in range(0, len(crew), EACH)]
    for each in crew:
        await each.enters("me")
    working = [
        asyncio.create_task(act) for each in crew for act in (_reacts(ward, each), _stays(each))
    ]
    harming = asyncio.create_task(_harm(ward))
    try:
        await _pages(ward, askers, roles)
        await _quiet(ward)
    finally:
        for task in (harming, *working, *ward.reacting):
            task.cancel()
        await asyncio.gather(harming, *working, *ward.reacting, return_exceptions=True)
    await _all_back(ward)
    return _judged(ward, await service.told(ward.lounge_url))


async def _role(ward: Ward, ids: Sequence[str]) -> str:
    layers = {"primary": ids[:1], "secondary": ids[1:2]}
    policy = service.soon(*STEP_SECONDS)
    return await service.put_role(ward.identity_url, layers, ids[2:], policy=policy)


async def _pages(ward: Ward, askers: Sequence[Member], roles: Sequence[str]) -> None:
    """So many at once; some take theirs back."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with turns:
            asker = askers[number % len(askers)]
            role, lives = ward.chance.choice(roles), ward.chance.uniform(1, sum(STEP_SECONDS))
            sent = await asker.does(op="page", role=role, urgency="now", text=f"Page {number}.")
            assert sent["op"] == "ok", sent
            await asyncio.sleep(lives)
            if ward.chance.random() < 0.1:
                await asker.does(op="page_end", room=sent["room"])

    await asyncio.gather(*(one(number) for number in range(PAGES)))


async def _reacts(ward: Ward, member: Member) -> None:
    """To whatever she is alerted to, over all her lines."""
    at, talker = 0, member.talker
    while True:
        async with talker._news:
            await talker._news.wait_for(lambda at=at: len(talker.logs["me"]) > at)  # type: ignore[misc]
        for heard in talker.logs["me"][at:]:
            event: dict[str, Any] = json.loads(heard.frame)
            if event.get("notice") == "page":
                ward.letters[member.number, event["about"]] += 1
                task = asyncio.create_task(_answers(ward, member, event["about"]))
                ward.reacting.add(task)
                task.add_done_callback(ward.reacting.discard)
        at = len(talker.logs["me"])


async def _stays(member: Member) -> None:
    """Whoever only listens comes back as well when her line is lost."""
    while True:
        await member.talker.ended()
        await member.connect()


async def _answers(ward: Ward, member: Member, room: str) -> None:
    luck = ward.chance.random()
    await asyncio.sleep(ward.chance.uniform(0, 3))
    if luck < 0.15:
        with contextlib.suppress(Lost, AssertionError, TimeoutError):
            await member.talker.ask({"op": "page_mark", "room": room, "mark": "seen"})
    elif luck < 0.45:
        answer = await member.does(op="page_answer", room=room, accept=False, reason="busy")
        ward.answers[f"declined, {answer.get('code', 'ok')}"] += 1
    elif luck < 0.7:
        answer = await member.does(op="page_answer", room=room, accept=True)
        ward.answers[f"accepted, {answer.get('code', 'ok')}"] += 1
        if answer["op"] == "ok" and luck < 0.6:
            await member.does(op="page_end", room=room)


async def _harm(ward: Ward) -> None:
    """One worker after the other is killed, or the whole of a server; it comes back."""
    while True:
        await asyncio.sleep(ward.chance.uniform(*HARM_SECONDS))
        number = ward.chance.randrange(len(ward.servers))
        server, began = ward.servers[number], time()
        if ward.chance.random() < 0.7:
            before = server.said.count(_BACK)
            server.worker().kill()
            await _until(lambda s=server, n=before: s.said.count(_BACK) > n)
        else:
            assert server._running
            family = [psutil.Process(server._running.pid), *server._running.descendants()]
            for each in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            server.close()
            await server.start()
        ward.down.append((number, began, time()))


async def _all_back(ward: Ward) -> None:
    for each in ward.servers:
        if not each._running or each._running._process.poll() is not None:
            await each.start()
        await each.metrics()


async def _quiet(ward: Ward) -> None:
    """Every page has come to an end."""
    query = "SELECT count(*) FROM page WHERE state IN ('sent', 'waiting')"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await service.count(ward.lounge_url, query):
            await asyncio.sleep(0.5)


def _judged(ward: Ward, pages: Sequence[Told]) -> Table:
    """What the logs say, held against what is promised."""
    ends = Counter(tuple(each.ends[:1]) for each in pages)
    one_end = sum(_has_one_end(each) for each in pages)
    twice = sum(_fired_twice(each) for each in pages)
    too_often = sum(count > _MOST_LETTERS for count in ward.letters.values())
    late, free = _late(ward, pages)
    table = Table(("what", "figure"))
    table.add("pages", Figure(len(pages)))
    table.add("without exactly one end", Figure(len(pages) - one_end, "", 0))
    table.add("steps that fired twice", Figure(twice, "", 0))
    table.add("alerted more often than steps have her", Figure(too_often, "", 0))
    for end, number in sorted(ends.items()):
        table.add(f"that ended so: {', '.join(end)}", Figure(number))
    for answer, number in sorted(ward.answers.items()):
        table.add(answer, Figure(number))
    table.add("servers or workers killed", Figure(len(ward.down)))
    table.add("steps taken", Figure(len(late)))
    for share in (0.5, 0.99, 0.999):
        most = MOST_LATE_SECONDS if share == 0.99 else None
        table.add(f"late, p{share * 100:g}", Figure(percentile(late, share), "s", most))
    if len(ward.servers) == 1:
        table.add("the same with the time away", Figure(percentile(free, 0.99), "s"))
    return table


def _has_one_end(page: Told) -> bool:
    first, *more = page.ends or [""]
    return first in ("accepted", "unanswered", "withdrawn") and more in (
        [],
        ["closed"] if first == "accepted" else [],
    )


def _fired_twice(page: Told) -> bool:
    steps = [state["step"] for _, state in page.steps]
    return steps != sorted(set(steps))


def _late(ward: Ward, pages: Sequence[Told]) -> tuple[list[float], list[float]]:
    """Seconds of each step after it was due, without those in which no server was there; and with them."""
    late, plain = [], []
    for page in pages:
        for due, at in _moves(page):
            plain.append(max(0.0, at - due))
            late.append(max(0.0, at - due - ward.away(due, at)))
    return late, plain


def _moves(page: Told) -> list[tuple[float, float]]:
    """When each step after the first, or its being unanswered, was due and when it came: in seconds."""
    found, due, declined_at, declined, step = [], 0.0, 0.0, 0, None
    for at, state in page.states:
        moved = state["phase"] == "unanswered" or (
            step is not None and state.get("step") != step and state["phase"] in ("sent", *_LOOKED)
        )
        if moved and due:
            found.append((declined_at if at < due and declined_at else due, float(at)))
        if state.get("declined", 0) > declined:
            declined, declined_at = state["declined"], float(at)
        if state.get("step") != step:
            step, declined_at = state.get("step"), 0.0
        due = float(state.get("next", 0))
    return [(due / 1000, at / 1000) for due, at in found]


# -- five hundred races --------------------------------------------------------------------------


async def _raced(
    ward: Ward, crew: Sequence[Member], askers: Sequence[Member], ids: Sequence[str]
) -> Table:
    """Two on duty at once accept in the same moment, each through another server where there are two."""
    policy, pairs = service.soon(300, 300, 300), []
    for n in range(0, 2 * RACING, 2):
        layers = {"primary": ids[n : n + 2]}
        role = await service.put_role(ward.identity_url, layers, policy=policy)
        for side, member in enumerate(crew[n : n + 2]):
            await member.talker.connect(ward.servers[side % len(ward.servers)].port)
            await member.talker.join("me")
        pairs.append((role, crew[n], crew[n + 1], askers[n // 2 % len(askers)]))
    won, codes, calm, busy = Counter[str](), Counter[str](), Ears(), Ears()
    racing, times = crew[: 2 * RACING], RACES // RACING
    async with calm.of(racing):
        for each in pairs:
            await _race(each, won, codes, calm, CALM)
    async with busy.of(racing):
        await asyncio.gather(*(_race(each, won, codes, busy, times) for each in pairs))
    acceptors = await service.count(
        ward.lounge_url,
        "SELECT count(*) FROM page WHERE acceptor IS NOT NULL AND opened >= :since",
        since=0,
    )
    table = Table(("race", "figure"))
    total = (CALM + times) * RACING
    table.add("pages raced for", Figure(total))
    table.add("without exactly one winner", Figure(total - won["one"], "", 0))
    table.add("losers told otherwise than that it is taken", Figure(total - codes["frozen"], "", 0))
    for name in ("first", "second"):
        table.add(f"won by the {name}", Figure(won[name]))
    table.add("pages of the whole run with an acceptor", Figure(acceptors))
    table.add("notices that did not come", Figure(calm.missing() + busy.missing(), "", 0))
    for notice, way in _TOLD.items():
        alone, among = (percentile(each.seconds(notice), 0.99) for each in (calm, busy))
        table.add(f"{way}, one race at a time, p99", Figure(alone, "s", MOST_TOLD_SECONDS))
        table.add(f"the same, {RACING} races at once", Figure(among, "s"))
    return table


async def _race(
    pair: tuple[str, Member, Member, Member],
    won: Counter[str],
    codes: Counter[str],
    ears: Ears,
    times: int,
) -> None:
    role, one, other, asker = pair
    for n in range(times):
        text, since = f"Race {n}.", monotonic()
        sent = await asker.does(op="page", role=role, urgency="now", text=text)
        assert sent["op"] == "ok", sent
        ears.began.append(("page", sent["room"], (one.number, other.number), since))
        accept = {"op": "page_answer", "room": sent["room"], "accept": True}
        since = monotonic()
        answers = await asyncio.gather(
            *(each.talker.ask({**accept, "cid": new_cid()}) for each in (one, other))
        )
        oks = [
            side for side, a in zip(("first", "second"), answers, strict=True) if a["op"] == "ok"
        ]
        late = [
            each.number for each, a in zip((one, other), answers, strict=True) if a["op"] != "ok"
        ]
        ears.began.append(("page_over", sent["room"], late, since))
        won["one"] += len(oks) == 1
        won.update(oks)
        codes.update(a["code"] for a in answers if a["op"] != "ok")
        await asker.does(op="page_end", room=sent["room"])


# -- privates ------------------------------------------------------------------------------------

_BACK = "Worker 1 is back."
_TOLD = {
    "page": "from sending to the notice at whoever is alerted",
    "page_over": "from accepting to the notice at the other that it is over",
}
_LOOKED = ("delivered", "seen")
_MOST_LETTERS = 2
"""Primary and secondary are of everyone, too."""


async def _until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


_NOTES = (
    f"Steps wait {', '.join(map(str, STEP_SECONDS))} s; late is what came after that, or after the last of "
    "them declined. On SQLite there is one server: the time in which it was away is left out.",
    f"{AT_ONCE} pages at once, {ROLES} roles of {EACH}; a worker or a whole server is killed every few "
    "seconds and comes back. Doctors decline, look, accept or do nothing.",
    "How long notices take is measured in the races by the client's clock: one at a time, and "
    f"{RACING} at once, each as fast as the house lets it, which shows a queue.",
)
