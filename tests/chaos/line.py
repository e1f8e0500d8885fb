"""One connection of a doctor, kept up: joined, resumed, and every command said until it is answered."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from tests.chaos.journal import Journal, hash_of
from tests.chaos.transport import Frame, Gone, Refused, Transport

IN_FLIGHT = 8
ECHOES = 20
REMEMBERED = 50
WANDER_SECONDS = (2.0, 6.0)
LEAST_SECONDS = 0.2
MOST_SECONDS = 5.0
ANSWER_SECONDS = 10.0
AGAIN = {"busy", "storage", "rate_limited", "slow_mode", "internal", "not_joined"}
"""Codes after which the same command is sent again."""


@dataclass(slots=True, eq=False)
class Spoken:
    """A command with its client id. Settled once it is acked, or refused for good."""

    command: Frame
    is_settled: bool = False
    answer: Frame | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sending of it. A copy is neither sent again nor settles anything but by an ack."""

    spoken: Spoken
    is_copy: bool
    conn: int = 0


class Line:
    """Connects, and connects again with a random pause, until it is told to stay away.

    `conns` numbers the doctor's connections; `settled` hears of every command that is.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        token: str,
        ports: Sequence[int],
        rooms: Sequence[str],
        conns: Iterator[int],
        chance: random.Random,
        transport: Callable[[], Transport],
        settled: Callable[[Spoken], None],
    ) -> None:
        self._journal = journal
        self._token = token
        self._ports = ports
        self._rooms = rooms
        self._conns = conns
        self._chance = chance
        self._make = transport
        self._settled = settled
        self._transport = transport()
        self._backlog: deque[Attempt] = deque()
        self._echoes: deque[Spoken] = deque(maxlen=ECHOES)
        self._asked: dict[int, Attempt] = {}
        self._joins: dict[int, Frame] = {}
        self._places: dict[str, deque[tuple[int, str]]] = {}
        self._live: set[str] = set()
        self._free = asyncio.Event()
        self._ref = self._conn = self._turn = self._failures = 0
        self._wait: float | None = None
        self._is_refused = False
        self._heard = 0.0
        self._heartbeat = 20.0
        self.is_away = False
        """It was told not to come back."""
        self.wanders = True
        """It joins its rooms again now and then."""

    @property
    def is_live(self) -> bool:
        return len(self._live) == len(self._rooms)

    @property
    def is_idle(self) -> bool:
        """Nothing waits, to be sent or to be answered."""
        return not self._backlog and not self._asked

    def offer(self, spoken: Spoken, *, is_copy: bool = False) -> None:
        """Send it as soon as its turn comes, over this connection or a later one."""
        self._backlog.append(Attempt(spoken, is_copy))
        self._free.set()

    def echo(self, spoken: Spoken) -> None:
        """Send it once more after the next reconnect."""
        self._echoes.append(spoken)

    async def drop(self) -> None:
        """End the connection as a cut wire does; `keep_up` makes the next one."""
        await self._transport.close()

    async def keep_up(self) -> None:
        """Until it is told to stay away, or is cancelled."""
        while not self.is_away:
            await self._connect_once()
            ceiling = min(MOST_SECONDS, LEAST_SECONDS * 2 ** min(self._failures, 10))
            pause = self._chance.uniform(0, ceiling) if self._wait is None else self._wait
            await asyncio.sleep(0 if self.is_away else pause)

    # -- one connection --------------------------------------------------------------------------

    async def _connect_once(self) -> None:
        self._conn, self._wait, self._transport = next(self._conns), None, self._make()
        port, code = self._ports[self._turn % len(self._ports)], 1000
        self._failures += 1
        try:
            await self._transport.open(port, self._token, self._where_it_stands)
            await self._listen()
            code = 403 if self._is_refused else self._transport.code
        except Refused as refusal:
            code, self._wait = refusal.status, refusal.retry_after
            self._turn += 1
        except Gone:
            code = 1006
            self._turn += 1
        finally:
            self._journal.note("close", code=code, conn=self._conn)
            await self._transport.close()
            self._forget()
        self.is_away = 4500 <= code <= 4999 or code in (401, 403)

    def _where_it_stands(self) -> list[Frame]:
        self._joins.clear()
        for room in self._rooms:
            places = self._places.get(room)
            self._join(room, *(places[-1] if places else (0, None)))
        return list(self._joins.values())

    def _join(self, room: str, since: int | None, last: str | None) -> Frame:
        join: Frame = {"op": "join", "ref": self._next_ref(), "room": room}
        join |= {} if since is None else {"since": since}
        join |= {} if last is None else {"last": last}
        self._joins[join["ref"]] = join
        return join

    async def _listen(self) -> None:
        self._heard = monotonic()
        beside = [
            asyncio.create_task(each) for each in (self._speak(), self._beat(), self._wander())
        ]
        try:
            async for frame in self._transport.frames():
                self._heard = monotonic()
                self._hear(frame)
        finally:
            for task in beside:
                task.cancel()
            ends = await asyncio.gather(*beside, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _speak(self) -> None:
        """Up to eight commands without an answer, once every room is live."""
        while True:
            await self._free.wait()
            self._free.clear()
            while self._backlog and self.is_live and len(self._asked) < IN_FLIGHT:
                attempt = self._backlog.popleft()
                if attempt.is_copy or not attempt.spoken.is_settled:
                    await self._send(attempt)

    async def _send(self, attempt: Attempt) -> None:
        conn = self._conn if self._transport.is_ordered else next(self._conns)
        ref, command = self._next_ref(), attempt.spoken.command
        self._asked[ref] = Attempt(attempt.spoken, attempt.is_copy, conn)
        self._journal.note(
            "send",
            cid=command["cid"],
            room=command["room"],
            op=command["op"],
            hash=_hash(command),
            target=command.get("seq"),
            conn=conn,
        )
        try:
            await self._transport.send({**command, "ref": ref})
        except Gone:
            return  # the listener sees the end as well, and what was asked is kept till then

    async def _beat(self) -> None:
        """A line on which nothing comes, not even an answer, is given up."""
        while True:
            await asyncio.sleep(self._heartbeat / 8)
            silent = monotonic() - self._heard
            if not self._transport.is_ordered:
                return  # its own time limits see to it
            if silent > self._heartbeat + ANSWER_SECONDS:
                await self._transport.close()
            elif silent > self._heartbeat:
                with contextlib.suppress(Gone):
                    await self._transport.send({"op": "ping", "ref": self._next_ref()})

    async def _wander(self) -> None:
        """Join a room again now and then, as if it knew nothing or had missed the last few entries.

        So that what was changed meanwhile is replayed as it stands, also when no connection ever breaks.
        """
        while self._transport.is_ordered:
            await asyncio.sleep(self._chance.uniform(*WANDER_SECONDS))
            room = self._chance.choice(self._rooms)
            if room in self._live and self.wanders:
                self._live.discard(room)
                places = self._places.get(room, ())
                since, last = self._chance.choice([(None, None), *places])
                with contextlib.suppress(Gone):
                    await self._transport.send(self._join(room, since, last))

    def _forget(self) -> None:
        """What was not answered is said again, first and in the same order, then the echoes."""
        asked = self._asked.values()
        unanswered = dict.fromkeys(each.spoken for each in asked if not each.is_copy)
        for spoken in reversed(unanswered):
            if not spoken.is_settled:
                self._backlog.appendleft(Attempt(spoken, is_copy=False))
        self._backlog.extend(Attempt(spoken, is_copy=True) for spoken in self._echoes)
        self._echoes.clear()
        self._asked.clear()
        self._live.clear()

    # -- frames ----------------------------------------------------------------------------------

    def _hear(self, frame: Frame) -> None:
        match frame["op"]:
            case "event":
                self._event(frame)
            case "ok" | "error" if frame["ref"] in self._asked:
                self._answered(self._asked.pop(frame["ref"]), frame)
                self._free.set()
            case "ok" | "error" if frame["ref"] in self._joins:
                self._joined(self._joins.pop(frame["ref"]), frame)
            case "live":
                self._note("live", frame, "room", "head")
                self._live.add(frame["room"])
                self._failures = 0
                self._free.set()
            case "reset":
                self._note("reset", frame, "room", "reason")
                self._places.pop(frame["room"], None)
            case "bye":
                self._wait = frame["reconnect_in"] / 1000
            case "welcome":
                self._heartbeat = frame["heartbeat"]

    def _event(self, event: Frame) -> None:
        hashed = hash_of(event["text"]) if "text" in event else None
        self._note("recv", event, "room", "seq", "id", "kind", "target", hash=hashed)
        places = self._places.setdefault(event["room"], deque(maxlen=REMEMBERED))
        places.append((event["seq"], event["id"]))

    def _joined(self, join: Frame, answer: Frame) -> None:
        if answer["op"] == "error":  # ask for everything again, if that may help
            self._is_refused = answer["code"] == "forbidden"
            self._wait = answer.get("retry_after")
            asyncio.get_running_loop().create_task(self._transport.close())
            return
        self._note("attach", answer, "from", "head", room=join["room"], since=join.get("since"))

    def _answered(self, attempt: Attempt, answer: Frame) -> None:
        spoken, command = attempt.spoken, attempt.spoken.command
        if answer["op"] == "ok":
            place = {"room": command["room"], "dup": answer.get("duplicate", False)}
            self._journal.note(
                "ack",
                cid=command["cid"],
                seq=answer["seq"],
                id=answer.get("id"),
                conn=attempt.conn,
                **place,
            )
            self._settle(spoken, answer)
            return
        is_final = attempt.is_copy or spoken.is_settled or answer["code"] not in AGAIN
        told = {"cid": command["cid"], "code": answer["code"], "conn": attempt.conn}
        self._journal.note("nack", final=is_final, **told)
        if not is_final:
            wait = min(MOST_SECONDS, answer.get("retry_after", LEAST_SECONDS))
            asyncio.get_running_loop().call_later(wait, self.offer, spoken)
        elif not attempt.is_copy:
            self._settle(spoken, None)

    def _settle(self, spoken: Spoken, answer: Frame | None) -> None:
        if not spoken.is_settled:
            spoken.is_settled, spoken.answer = True, answer
            self._settled(spoken)

    def _note(self, event: str, frame: Frame, *names: str, **more: Any) -> None:
        told = {name: frame.get(name) for name in names}
        self._journal.note(event, **told, **more, conn=self._conn)

    def _next_ref(self) -> int:
        self._ref += 1
        return self._ref


def _hash(command: Frame) -> str | None:
    return hash_of(command["text"]) if "text" in command else None
