"""A doctor who speaks through the wire as a program does, and comes back when the line is lost."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from contextlib import suppress
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

_WAIT_CODES = frozenset({"rate_limited", "slow_mode", "busy", "storage"})
_NEVER = frozenset({401, 403, 404})
_GIVE_UP_SECONDS = 60.0
_ANSWER_SECONDS = 30.0
_LARGEST_FRAME = 256 * 1024
_JSON = Subprotocol("lounge.v1.json")


class Unreachable(Exception):  # noqa: N818 - said to the operator as it stands
    """Nobody answers at that address, or not to us."""


class _Lost(Exception):  # noqa: N818 - an answer that will not come
    """The connection ended before the answer."""


class Speaker:
    """One bearer token, one connection, any number of rooms."""

    def __init__(self, url: str, token: str) -> None:
        """`url` as a browser has it, such as http://127.0.0.1:8000."""
        self._url = _socket_url(url)
        self._token = token
        self._refs = count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._joined: set[str] = set()
        self._connection: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self.waits = 0
        self.reconnects = 0

    async def say(self, room: str, text: str) -> str | None:
        """Say it once, however often the line is lost. The code of a refusal, else None.

        Raises Unreachable.
        """
        command = {"op": "say", "room": room, "cid": secrets.token_urlsafe(18), "text": text}
        published = {"not_patient": True}  # or made up
        lost_since: float | None = None
        while True:
            try:
                answer = await self._say(command | published)
                lost_since = None
            except _Lost as reason:
                lost_since = lost_since or time.monotonic()
                if time.monotonic() - lost_since > _GIVE_UP_SECONDS:
                    raise Unreachable(f"{self._url} does not answer: {reason}") from None
                await asyncio.sleep(random.uniform(0.2, 1.0))  # noqa: S311 - not a secret
                continue
            if answer["op"] == "ok":
                return None
            if answer["code"] in _WAIT_CODES:
                self.waits += 1
                await asyncio.sleep(answer.get("retry_after") or 1.0)
            elif answer["code"] == "not_joined":
                self._joined.discard(room)
            else:
                return str(answer["code"])

    async def close(self) -> None:
        if self._connection:
            await self._connection.close()
        if self._reader:
            await self._reader

    async def _say(self, command: dict[str, Any]) -> dict[str, Any]:
        room = command["room"]
        connection = await self._connected()
        if room not in self._joined:
            answer = await self._ask(connection, {"op": "join", "room": room})
            if answer["op"] != "ok":
                return answer
            self._joined.add(room)
        return await self._ask(connection, command)

    async def _ask(self, connection: ClientConnection, command: dict[str, Any]) -> dict[str, Any]:
        ref = next(self._refs)
        answer = self._waiting[ref] = asyncio.get_running_loop().create_future()
        try:
            await connection.send(json.dumps({**command, "ref": ref}))
            return await asyncio.wait_for(answer, _ANSWER_SECONDS)
        except ConnectionClosed as reason:
            raise _Lost(str(reason)) from None
        except TimeoutError:
            await connection.close()
            raise _Lost("no answer") from None
        finally:
            self._waiting.pop(ref, None)

    async def _connected(self) -> ClientConnection:
        async with self._connecting:
            if self._connection is None or self._reader is None or self._reader.done():
                again = self._connection is not None
                self._connection = await self._connect()
                self.reconnects += again
                self._joined.clear()
                self._reader = asyncio.create_task(self._read(self._connection))
            return self._connection

    async def _connect(self) -> ClientConnection:
        try:
            return await connect(
                self._url,
                subprotocols=[_JSON],
                additional_headers={"Authorization": f"Bearer {self._token}"},
                max_size=_LARGEST_FRAME,
                compression=None,
                proxy=None,
            )
        except InvalidStatus as refused:
            status = refused.response.status_code
            if status in _NEVER:
                raise Unreachable(f"{self._url} answers {status}") from None
            raise _Lost(f"status {status}") from None
        except (OSError, TimeoutError, InvalidHandshake, EOFError) as reason:
            raise _Lost(type(reason).__name__) from None

    async def _read(self, connection: ClientConnection) -> None:
        """Give each answer to who waits for it; events of rooms are for others."""
        with suppress(ConnectionClosed):
            async for frame in connection:
                said = json.loads(frame)
                waiting = self._waiting.get(said.get("ref"))
                if waiting and not waiting.done():
                    waiting.set_result(said)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(_Lost("the connection ended"))


def _socket_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise Unreachable(f"{url} is not an address such as http://127.0.0.1:8000")
    return parts._replace(scheme="wss" if parts.scheme == "https" else "ws", path="/ws").geturl()
