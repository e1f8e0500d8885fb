"""A light client for crowds: says, hears, resumes, and proves by counting that it has everything."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

ANSWER_SECONDS = 60.0


class Lost(Exception):  # noqa: N818 - an answer that will not come
    """The connection ended before the answer."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One entry: its place, its id, and the frame letter by letter."""

    seq: int
    id: str
    frame: str


class Talker:
    """One doctor. The logs outlive the connection, and every join resumes them."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._refs = count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._live: dict[str, asyncio.Event] = {}
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()
        self.logs: dict[str, list[Heard]] = {}
        self.faults: list[str] = []
        """Holes, doubles and resets: what must never be."""

    async def connect(self, port: int) -> None:
        """Raises Lost when nobody answers."""
        await self.close()
        try:
            self._socket = await connect(
                f"ws://127.0.0.1:{port}/ws",
                additional_headers={"Authorization": f"Bearer {self._token}"},
                compression=None,
                max_size=256 * 1024,
                open_timeout=ANSWER_SECONDS,
                proxy=None,
            )
        except (OSError, InvalidHandshake, InvalidMessage, EOFError, TimeoutError) as reason:
            raise Lost(str(reason)) from None
        self._reader = asyncio.create_task(self._read(self._socket))

    async def join(self, room: str) -> None:
        """Return once live. Resumes after the last entry that is known. Raises Lost."""
        log = self.logs.setdefault(room, [])
        live = self._live[room] = asyncio.Event()
        since = {"since": log[-1].seq, "last": log[-1].id} if log else {"since": 0}
        answer = await self.ask({"op": "join", "room": room, **since})
        if answer.get("from", 0) > len(log) + 1:
            self.faults.append(f"{room}: resumed at {answer['from']} after {len(log)}")
        async with asyncio.timeout(ANSWER_SECONDS):
            await live.wait()
        if self._reader is None or self._reader.done():
            raise Lost("before live")

    async def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """The answer, good or bad. Raises Lost."""
        assert self._socket
        ref = next(self._refs)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[ref] = answer
        try:
            if self._reader is None or self._reader.done():
                raise Lost("closed")
            await self._socket.send(json.dumps({**command, "ref": ref}))
            async with asyncio.timeout(
                ANSWER_SECONDS
            ):  # wait_for of 3.11 can swallow a cancellation
                return await answer
        except ConnectionClosed as reason:
            raise Lost(str(reason)) from None
        finally:
            self._waiting.pop(ref, None)

    async def reaches(self, room: str, seq: int) -> list[Heard]:
        """The room's log once it holds that seq."""
        async with asyncio.timeout(ANSWER_SECONDS), self._news:
            await self._news.wait_for(lambda: len(self.logs[room]) >= seq)
        return self.logs[room]

    async def sees(self, room: str, kind: str) -> dict[str, Any]:
        """The first event of that kind there, heard already or still to come."""
        async with asyncio.timeout(ANSWER_SECONDS), self._news:
            while True:
                for heard in self.logs[room]:
                    event: dict[str, Any] = json.loads(heard.frame)
                    if event["kind"] == kind:
                        return event
                await self._news.wait()

    def events(self, room: str) -> list[dict[str, Any]]:
        """The room's events so far."""
        return [json.loads(heard.frame) for heard in self.logs[room]]

    async def ended(self) -> None:
        """Return once the line is lost."""
        assert self._reader
        await asyncio.shield(self._reader)

    async def close(self) -> None:
        if self._socket:
            self._socket.transport.abort()
        if self._reader:
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for data in socket:
                frame = json.loads(data)
                if frame["op"] == "event":
                    await self._hear(frame, str(data))
                elif frame["op"] == "live":
                    self._live[frame["room"]].set()
                elif frame["op"] == "reset":
                    self.faults.append(f"{frame['room']}: reset, {frame['reason']}")
                elif (waiting := self._waiting.get(frame.get("ref"))) and not waiting.done():
                    waiting.set_result(frame)
        except ConnectionClosed:
            pass
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Lost("the connection ended"))
        for live in self._live.values():
            live.set()

    async def _hear(self, event: dict[str, Any], frame: str) -> None:
        log = self.logs[event["room"]]
        if event["seq"] != len(log) + 1:
            self.faults.append(f"{event['room']}: {event['seq']} after {len(log)}")
        async with self._news:
            log.append(Heard(event["seq"], event["id"], frame))
            self._news.notify_all()
