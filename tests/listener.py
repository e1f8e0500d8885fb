"""A light client for crowds in one room, over a socket, a stream or polls: it says, hears, and is ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support import PATIENCE_SECONDS, new_cid

Way = Literal["socket", "stream", "polls"]


class Listener:
    """One doctor in one room. `headers` say who: a token, or a session's cookie and its origin."""

    def __init__(
        self,
        port: int,
        client: httpx2.AsyncClient,
        headers: dict[str, str],
        room: str,
        way: Way,
    ) -> None:
        """`client` may be shared: making one takes long."""
        self._port, self._client = port, client
        self._headers, self._room, self._way = headers, room, way
        self._socket: ClientConnection | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last: dict[str, Any] = {"since": 0}
        self.heard: list[int] = []
        """The seqs, as they came."""
        self.live = asyncio.Event()
        self.ended: int | str | None = None
        """The close code, the HTTP status or the error code that was the end of it."""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[asyncio.Task[None]]:
        """The task ends when the server ended it. On leaving, so it does in any case."""
        task = asyncio.create_task(getattr(self, f"_by_{self._way}")())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def say(self, text: str) -> bool:
        """Whether it was taken."""
        command = {"op": "say", "room": self._room, "cid": new_cid(), "text": text}
        if self._way == "socket":
            return await self._say_by_socket(command)
        got = await self._post("/api/commands", {**command, "ref": 0})
        return got.status_code == 200 and got.json()["op"] == "ok"

    async def reaches(self, seq: int) -> None:
        """Returns once that seq was heard."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while seq not in self.heard:
                await asyncio.sleep(0.01)

    # -- ways ------------------------------------------------------------------------------------

    async def _by_socket(self) -> None:
        url = f"ws://127.0.0.1:{self._port}/ws"
        async with connect(url, additional_headers=self._headers, compression=None) as socket:
            self._socket = socket
            await socket.send(json.dumps(self._join()))
            try:
                async for data in socket:
                    self._take(json.loads(data))
            except ConnectionClosed:
                pass
            finally:
                self._disappoint()
            self.ended = socket.close_code

    async def _by_stream(self) -> None:
        body = {"joins": [self._join()]}
        asked = self._client.stream("POST", "/api/stream", json=body, headers=self._headers)
        async with asked as got:
            async for line in got.aiter_lines():
                if line.startswith("data: "):
                    self._take(json.loads(line.removeprefix("data: ")))

    async def _by_polls(self) -> None:
        while self.ended is None:
            body = {"joins": [self._join()], "poll": True, "welcome": False}
            self._take_poll(await self._post("/api/stream", body))

    async def _post(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        return await self._client.post(path, json=body, headers=self._headers)

    def _take_poll(self, got: httpx2.Response) -> None:
        if got.status_code != 200:
            self.ended = got.status_code
        for line in got.text.splitlines():
            if line.startswith("data: "):
                self._take(json.loads(line.removeprefix("data: ")))

    # -- frames ----------------------------------------------------------------------------------

    def _join(self) -> dict[str, Any]:
        return {"op": "join", "ref": 0, "room": self._room, **self._last}

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["op"] == "event":
            self.heard.append(frame["seq"])
            self._last = {"since": frame["seq"], "last": frame["id"]}
        elif frame["op"] == "live":
            self.live.set()
        elif frame["op"] == "bye" or (frame["op"] == "error" and not self._answers):
            self.ended = frame["code"]
        elif (waiting := self._answers.pop(frame.get("ref", 0), None)) is not None:
            waiting.set_result(frame)

    async def _say_by_socket(self, command: dict[str, Any]) -> bool:
        assert self._socket is not None
        ref = len(self.heard) + 1
        answer = self._answers[ref] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(json.dumps({**command, "ref": ref}))
            return bool((await answer)["op"] == "ok")
        except ConnectionClosed:
            self._answers.clear()
            return False

    def _disappoint(self) -> None:
        """Whoever still waits for an answer gets none."""
        waiting, self._answers = self._answers, {}
        for each in waiting.values():
            each.set_result({"op": "closed"})
