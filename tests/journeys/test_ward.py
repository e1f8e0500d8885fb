"""Ward Wi-Fi: Roy's line is cut again and again while others talk, whatever carries his frames.

By WebSocket; with only event streams allowed; with nothing but short answers allowed. Each time he ends
with every entry once and in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.journeys.served import Served
from tests.journeys.talker import Lost, Talker
from tests.processes import Run, wait_until_gone
from tests.support import http_client, new_cid

ROOM = "bench/1"
SPEAKERS = 5
MESSAGES = 500
FEWER = 100
LONG_AWAY = 700  # more than any ring holds
PATIENCE_SECONDS = 60


class Roy(ABC):
    """A client that keeps what it was shown, and comes back with its cursor."""

    def __init__(self, server: Served, token: str) -> None:
        self._server = server
        self._headers = {"authorization": f"Bearer {token}"}
        self._more = asyncio.Condition()
        self._following: asyncio.Task[None] | None = None
        self.shown: list[tuple[int, str]] = []
        self.faults: list[str] = []

    def follow(self) -> None:
        self._following = asyncio.create_task(self._follow())

    async def cut(self) -> None:
        """Without a word to the server."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def reaches(self, seq: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self._more:
            await self._more.wait_for(lambda: len(self.shown) >= seq)

    async def ask(self, **command: Any) -> dict[str, Any]:
        async with self._http() as http:
            answer = await http.post("/api/commands", json={"ref": 1, **command})
        frame: dict[str, Any] = answer.json()
        return frame

    async def _follow(self) -> None:
        """Over as many lines as it takes."""
        while True:
            with contextlib.suppress(httpx2.TransportError, EOFError):
                await self._line()
            await asyncio.sleep(0.05)  # a server that starts again does not listen yet

    @abstractmethod
    async def _line(self) -> None:
        """One line, until it ends."""

    def _join(self) -> dict[str, Any]:
        since: dict[str, Any] = {"since": 0}
        if self.shown:
            seq, id = self.shown[-1]
            since = {"since": seq, "last": id}
        return {"op": "join", "ref": 0, "room": ROOM, **since}

    async def _hear(self, line: str) -> None:
        if not line.startswith("data: "):
            return
        frame = json.loads(line.removeprefix("data: "))
        if frame["op"] == "reset":
            self.faults.append(f"reset: {frame['reason']}")
        if frame["op"] == "event":
            if frame["seq"] != len(self.shown) + 1:
                self.faults.append(f"{frame['seq']} after {len(self.shown)}")
            async with self._more:
                self.shown.append((frame["seq"], frame["id"]))
                self._more.notify_all()

    def _http(self) -> httpx2.AsyncClient:
        return http_client(
            base_url=self._server.url, headers=self._headers, timeout=PATIENCE_SECONDS
        )


class ByStream(Roy):
    """Only event streams are let through."""

    async def _line(self) -> None:
        body = {"joins": [self._join()], "welcome": False}
        async with self._http() as http, http.stream("POST", "/api/stream", json=body) as answer:
            async for line in answer.aiter_lines():
                await self._hear(line)


class ByPolls(Roy):
    """Only short answers are let through."""

    async def _line(self) -> None:
        body = {"joins": [self._join()], "welcome": False, "poll": True}
        async with self._http() as http:
            answer = await http.post("/api/stream", json=body)
        for line in answer.text.splitlines():
            await self._hear(line)


class BySocket(Roy):
    """Nothing is blocked."""

    def __init__(self, server: Served, token: str) -> None:
        super().__init__(server, token)
        self._talker = Talker(token)
        self.faults = self._talker.faults

    async def cut(self) -> None:
        await super().cut()
        await self._talker.close()

    async def reaches(self, seq: int) -> None:
        await self._talker.reaches(ROOM, seq)
        self.shown = [(heard.seq, heard.id) for heard in self._talker.logs[ROOM]]

    async def _line(self) -> None:
        with contextlib.suppress(Lost):
            await self._talker.connect(self._server.port)
            await self._talker.join(ROOM)
            await self._talker.ended()


@pytest.fixture
async def server(run: Run, tmp_path: Path) -> Served:
    server = Served(run, tmp_path, LOUNGE_BENCH="1")
    return server


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("carrier", "messages"),
    [
        pytest.param(BySocket, MESSAGES, marks=pytest.mark.long),
        pytest.param(ByStream, FEWER, marks=pytest.mark.long),
        (ByPolls, FEWER),
    ],
)
async def test_after_each_cut_every_message_is_shown_once_and_in_order(
    carrier: type[Roy], messages: int, server: Served
) -> None:
    mine, *others = await server.tokens(1 + SPEAKERS)
    await server.start()
    ward = Ward(server, others)
    roy = carrier(server, mine)
    roy.follow()

    await ward.say(20)
    await roy.reaches(20)
    for _ in range(3):  # cut in the middle of it, and back while the others go on
        talking = asyncio.create_task(ward.say(messages // 5))
        await ward.more(messages // 10)
        await roy.cut()
        await talking
        roy.follow()
    await ward.say(messages // 5)
    await roy.reaches(ward.said)

    await roy.cut()
    await ward.say(30)
    await _restarted(server)
    await ward.say(30)
    roy.follow()
    await roy.reaches(ward.said)

    await roy.cut()
    (valkey,) = [each for each in server.family() if "valkey" in each.name()]
    valkey.kill()  # and it comes back with an empty memory
    await ward.say(50)
    roy.follow()
    await roy.reaches(ward.said)

    await roy.cut()
    await ward.say(LONG_AWAY)
    roy.follow()
    await roy.reaches(ward.said)

    assert roy.faults == []
    assert roy.shown == ward.acked
    await _says_once(roy, ward)
    await roy.cut()
    await ward.close()


async def _says_once(roy: Roy, ward: Ward) -> None:
    """One client id five times makes one entry; with other words it is refused."""
    command = {"op": "say", "room": ROOM, "cid": new_cid(), "text": "Roy is back."}
    answers = [await roy.ask(**command) for _ in range(5)]
    assert {(answer["op"], answer["seq"]) for answer in answers} == {("ok", ward.said + 1)}
    assert [answer.get("duplicate", False) for answer in answers] == [False, *[True] * 4]
    other = await roy.ask(**{**command, "text": "Roy says something else."})
    assert (other["op"], other["code"]) == ("error", "cid_conflict")
    await roy.reaches(ward.said + 1)
    assert roy.shown[-1] == (answers[0]["seq"], answers[0]["id"])


async def _restarted(server: Served) -> None:
    assert server.process
    family = server.family()
    for each in family:
        with contextlib.suppress(Exception):
            each.kill()
    await asyncio.to_thread(server.process.exit_code)
    await asyncio.to_thread(wait_until_gone, family[1:])
    await server.start()


class Ward:
    """Those who go on talking, over lines of their own, until each thing is acked."""

    def __init__(self, server: Served, tokens: list[str]) -> None:
        self._server = server
        self._talkers = [Talker(token) for token in tokens]
        self._places: dict[int, str] = {}
        self._more = asyncio.Condition()

    @property
    def said(self) -> int:
        return len(self._places)

    @property
    def acked(self) -> list[tuple[int, str]]:
        return sorted(self._places.items())

    async def say(self, count: int) -> None:
        """That many more, and return once all are acked."""
        share = count // len(self._talkers)
        assert share * len(self._talkers) == count
        await asyncio.gather(*(self._talk(each, share) for each in self._talkers))

    async def more(self, count: int) -> None:
        """Wait for that many further acks."""
        enough = self.said + count
        async with asyncio.timeout(PATIENCE_SECONDS), self._more:
            await self._more.wait_for(lambda: self.said >= enough)

    async def close(self) -> None:
        for each in self._talkers:
            await each.close()

    async def _talk(self, talker: Talker, count: int) -> None:
        done = 0
        command: dict[str, Any] = {}
        while done < count:
            command = command or {"op": "say", "room": ROOM, "cid": new_cid(), "text": "again"}
            try:
                answer = await talker.ask(command)
            except (Lost, AssertionError):
                with contextlib.suppress(Lost):
                    await talker.connect(self._server.port)
                    await talker.join(ROOM)
                continue
            assert answer["op"] == "ok", answer
            command = {}
            done += 1
            async with self._more:
                self._places[answer["seq"]] = answer["id"]
                self._more.notify_all()
