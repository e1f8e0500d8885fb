"""A client by somebody who has only read the protocol: the `websockets` package and nothing of ours.

    third_party.py URL EMAIL PASSWORD ROOM

Signs in, joins, says five things, is cut off after the second, comes back and prints what it has, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
import uuid
from typing import Any

import websockets


def sign_in(url: str, email: str, password: str) -> str:
    body = json.dumps({"email": email, "password": password}).encode()
    headers = {"Content-Type": "application/json", "Origin": url}
    request = urllib.request.Request(f"{url}/api/session", body, headers)
    with urllib.request.urlopen(request) as answer:
        return str(answer.headers["Set-Cookie"].split(";")[0])


class Line:
    def __init__(self, url: str, cookie: str) -> None:
        self.url, self.cookie = url, cookie
        self.held: list[dict[str, Any]] = []  # every entry, in order
        self.refs = 0

    async def open(self, room: str) -> None:
        self.socket = await websockets.connect(
            self.url.replace("http", "ws") + "/ws",
            additional_headers={"Cookie": self.cookie, "Origin": self.url},
            subprotocols=[websockets.Subprotocol("lounge.v1.json")],
        )
        assert json.loads(await self.socket.recv())["op"] == "welcome"
        last = self.held[-1] if self.held else None
        known = {"since": last["seq"], "last": last["id"]} if last else {}
        await self.command("join", room=room, **known)
        while (await self.frame())["op"] != "live":
            pass

    async def command(self, op: str, **fields: Any) -> dict[str, Any]:
        self.refs += 1
        await self.socket.send(json.dumps({"op": op, "ref": self.refs, **fields}))
        while True:
            frame = await self.frame()
            if frame.get("ref") == self.refs:
                assert frame["op"] == "ok", frame
                return frame

    async def frame(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(await self.socket.recv())
        if frame["op"] == "event":
            if self.held and frame["seq"] != self.held[-1]["seq"] + 1:
                raise SystemExit("a hole")
            self.held.append(frame)
        return frame


async def main(url: str, email: str, password: str, room: str) -> None:
    cookie = sign_in(url, email, password)
    reader, writer = Line(url, cookie), Line(url, cookie)
    await reader.open(room)
    await writer.open(room)
    for n in range(5):
        await writer.command("say", room=room, cid=uuid.uuid4().hex, text=f"third party {n}")
        if n == 1:
            while not reader.held or reader.held[-1]["text"] != "third party 1":
                await reader.frame()
            reader.socket.transport.abort()
    await reader.open(room)
    print(json.dumps([[entry["seq"], entry["text"]] for entry in reader.held]))
    await reader.socket.close()
    await writer.socket.close()


asyncio.run(main(*sys.argv[1:]))
