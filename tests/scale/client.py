"""A doctor's program in one room: joins, counts what it hears, and comes back as it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count
from time import monotonic
from typing import Any

from tests.scale.line import Frame, Line, Refused, connected

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 8.0
_LIVE_SECONDS = 20.0
_EAGER_SECONDS = 0.05

Ear = Callable[["Client", Frame], None]


class Client:
    """Has everything up to `seq`; `faults` are holes, doubles and resets, which must never be.

    `eager` ones come back at once, so that there is somebody to speak.
    """

    def __init__(
        self,
        token: str,
        room: str,
        *,
        source: str = "127.0.0.1",
        ear: Ear | None = None,
        eager: bool = False,
    ) -> None:
        self.token = token
        self.room = room
        self.seq = 0
        self.is_live = False
        self.changed_at = 0.0
        """Monotonic seconds: when it last went live or heard an entry."""
        self.faults: list[str] = []
        self.refusals: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.byes = 0
        self.line: Line | None = None
        self._last = ""
        self._bye_seconds: float | None = None
        self._source = source
        self._ear = ear
        self._eager = eager
        self._refs = count(1)
        self._waiting: dict[int | str | None, asyncio.Future[Frame | None]] = {}

    async def stay(self, port: int) -> None:
        """Is there until cancelled: whatever ends the line, it comes back after a pause."""
        attempt = 0
        while True:
            pause, self._bye_seconds = None, None
            try:
                attempt = 0 if await self._visit(port) else attempt + 1
                pause = self._bye_seconds
            except Refused as refused:
                self.refusals[f"HTTP {refused.status}"] += 1
                pause, attempt = refused.retry_after + self._jitter(attempt), attempt + 1
            except (OSError, TimeoutError) as fault:
                self.refusals[type(fault).__name__] += 1
                attempt += 1
            await asyncio.sleep(self._jitter(attempt) if pause is None else pause)

    def say(self, text: str, cid: str = "", **other: Any) -> asyncio.Future[Frame | None]:
        """The answer; None when the line ends before it, so that it is not known what happened."""
        command = {"op": "say", "room": self.room, "cid": cid or new_cid(), "text": text}
        return self._ask(command | other)

    async def tell(self, text: str) -> Frame:
        """Says it, over as many lines and as often as it takes; returns the `ok`."""
        cid = new_cid()
        while True:
            if self.is_live:
                answer = await self.say(text, cid)
                if answer is not None and answer.op == "ok":
                    return answer
                if answer is not None:
                    self.refusals[str(answer.code)] += 1
                    await asyncio.sleep(answer.retry_after)
            await asyncio.sleep(_EAGER_SECONDS)

    async def _visit(self, port: int) -> bool:
        """From the handshake to the end of the line; true when it was live."""
        line = self.line = await connected(port, self.token, self._hear, source=self._source)
        joining = asyncio.create_task(self._join(line))
        try:
            code = await line.ended
            self.ends[str(code or "cut")] += 1
            return self.is_live
        finally:
            joining.cancel()
            line.cut()
            self.is_live = False
            for waiting in self._waiting.values():
                _settle(waiting, None)
            self._waiting.clear()

    async def _join(self, line: Line) -> None:
        since = {"since": self.seq, "last": self._last} if self.seq else {"since": 0}
        while True:
            answer = await self._ask({"op": "join", "room": self.room, **since})
            if answer is None:
                return
            if answer.op == "ok":
                break
            self.refusals[str(answer.code)] += 1
            await asyncio.sleep(answer.retry_after or 1)
        await asyncio.sleep(_LIVE_SECONDS)
        if not self.is_live:
            self.refusals["never live"] += 1
            line.cut()

    def _ask(self, command: dict[str, Any]) -> asyncio.Future[Frame | None]:
        answer: asyncio.Future[Frame | None] = asyncio.get_running_loop().create_future()
        if self.line is None or self.line.ended.done():
            answer.set_result(None)
            return answer
        ref = next(self._refs)
        self._waiting[ref] = answer
        self.line.send({**command, "ref": ref})
        return answer

    def _hear(self, frame: Frame) -> None:
        if frame.op == "event":
            self._count(frame)
            if self._ear:
                self._ear(self, frame)
        elif frame.op in ("ok", "error"):
            if (waiting := self._waiting.pop(frame.ref, None)) is not None:
                _settle(waiting, frame)
        elif frame.op == "live":
            self.is_live, self.changed_at = True, monotonic()
        elif frame.op == "bye":
            self.byes += 1
            self._bye_seconds = frame.reconnect_in / 1000
        elif frame.op == "reset":
            self.faults.append(f"reset: {frame.reason}")

    def _count(self, event: Frame) -> None:
        if event.seq != self.seq + 1:
            self.faults.append(f"{event.seq} after {self.seq}")
        self.seq, self._last = event.seq, event.id
        self.changed_at = monotonic()

    def _jitter(self, attempt: int) -> float:
        """Full jitter: anything up to a ceiling that doubles."""
        if self._eager:
            return _EAGER_SECONDS
        return random.uniform(0, min(LONGEST_SECONDS, FIRST_SECONDS * 2**attempt))


async def until(whole: Callable[[], bool], seconds: float) -> bool:
    """Looks 50 times a second; false when the time is over first."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not whole():
                await asyncio.sleep(0.02)
    return whole()


def summed(counters: Iterable[Counter[str]]) -> str:
    """Such as `HTTP 503 × 12, busy × 3`; a dash for nothing."""
    whole: Counter[str] = sum(counters, Counter())
    return ", ".join(f"{name} × {n:,}" for name, n in whole.most_common()) or "–"


def new_cid() -> str:
    return secrets.token_urlsafe(12)


def _settle(waiting: asyncio.Future[Frame | None], frame: Frame | None) -> None:
    if not waiting.done():
        waiting.set_result(frame)
