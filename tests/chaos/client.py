"""A crowd of doctors who talk, come back, repeat themselves, and write down everything.

    python -m tests.chaos.client --ports 8001,8002 --tokens FILE --rooms bench/1,bench/2 \\
        --rate 200 --seconds 45 --out DIR --seed 7 [--retract 0.05] [--transport stream]

Prints `live` once everybody is, and `quiet` when the time is over (or on SIGUSR1) and nothing waits for an
answer any more; then it listens until SIGTERM. On SIGUSR2 every connection is dropped at once.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import signal
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from string import ascii_lowercase
from time import monotonic

from tests.chaos import journal
from tests.chaos.line import Line, Spoken
from tests.chaos.transport import TRANSPORTS, Frame

ROOMS_EACH = 3
UNSETTLED = 32
"""Whoever has so many waiting says nothing new."""
QUIET_SECONDS = 60.0
TICK_SECONDS = 0.02
COPIED = 0.3
"""The share of says that are sent two to five times."""


class Doctor:
    """Speaks over one connection; every other one has a second, to the same server or to another."""

    def __init__(self, number: int, token: str, crowd: Crowd) -> None:
        self._crowd = crowd
        self._chance = random.Random(f"{crowd.seed}/{number}")
        self.name = f"{number:03}"
        self.journal = journal.of_client(crowd.out, self.name)
        self.journal.note("begin", client=self.name, seed=crowd.seed)
        self.rooms = self._chance.sample(crowd.rooms, min(ROOMS_EACH, len(crowd.rooms)))
        self._unsettled: set[Spoken] = set()
        self._conns = count(1)
        homes = {0: (0, 1), 2: (0, 0)}.get(number % 4, (0,))
        self.lines = [self._line(token, number + home) for home in homes]

    @property
    def is_away(self) -> bool:
        """It was told to stay away."""
        return any(line.is_away for line in self.lines)

    @property
    def is_live(self) -> bool:
        return self.is_away or all(line.is_live for line in self.lines)

    @property
    def is_silent(self) -> bool:
        """Nothing waits for an answer."""
        return self.is_away or (not self._unsettled and all(line.is_idle for line in self.lines))

    @property
    def is_full(self) -> bool:
        return self.is_away or len(self._unsettled) >= UNSETTLED

    def say(self) -> None:
        """Something new, in one of its rooms."""
        room = self._chance.choice(self.rooms)
        self._speak({"op": "say", "room": room, "text": self._text()})

    def _speak(self, command: Frame) -> None:
        spoken = Spoken({**command, "cid": secrets.token_urlsafe(18)})
        self._unsettled.add(spoken)
        self.lines[0].offer(spoken)
        copies = self._chance.randint(1, 4) if self._chance.random() < COPIED else 0
        for _ in range(copies):
            self._repeat(spoken)

    def _repeat(self, spoken: Spoken) -> None:
        """At once on the same connection, over the second one, or when it has come back."""
        line = self._chance.choice(self.lines)
        if self._chance.random() < 1 / 3:
            line.echo(spoken)
        elif line.is_live:
            line.offer(spoken, is_copy=True)

    def _settled(self, spoken: Spoken) -> None:
        self._unsettled.discard(spoken)
        if spoken.answer is not None and self._crowd.is_talking:
            self._think_better(spoken.command, spoken.answer["seq"])

    def _think_better(self, said: Frame, seq: int) -> None:
        """Some says are corrected, some taken back, some first the one and then the other."""
        if said["op"] == "say" and self._chance.random() < self._crowd.retract:
            if self._chance.random() < 1 / 2:
                edit = {"op": "edit", "room": said["room"], "seq": seq, "text": self._text()}
                self._speak(edit)
            else:
                self._speak({"op": "redact", "room": said["room"], "seq": seq})
        elif said["op"] == "edit" and self._chance.random() < 1 / 2:
            self._speak({"op": "redact", "room": said["room"], "seq": said["seq"]})

    def _text(self) -> str:
        """Never the same twice, whatever the seed; letters only, so that the guard holds none."""
        unique = "".join(secrets.choice(ascii_lowercase) for _ in range(16))
        more = " and so on" * self._chance.choice((0, 0, 0, 8, 80))
        return f"{self._crowd.canary} {unique}{more}"

    def _line(self, token: str, home: int) -> Line:
        ports = self._crowd.ports
        turn = home % len(ports)
        return Line(
            journal=self.journal,
            token=token,
            ports=[*ports[turn:], *ports[:turn]],
            rooms=self.rooms,
            conns=self._conns,
            chance=self._chance,
            transport=TRANSPORTS[self._crowd.transport],
            settled=self._settled,
        )


class Crowd:
    """All of them, in this event loop. `rate` is in says a second, of all together.

    `retract` is the share of says that are corrected or taken back. `canary` is a word in every text, also
    told to the facts in `out`.
    """

    def __init__(
        self,
        *,
        ports: Sequence[int],
        tokens: Sequence[str],
        rooms: Sequence[str],
        rate: float,
        out: Path,
        seed: int,
        retract: float = 0.0,
        transport: str = "websocket",
    ) -> None:
        self.ports = ports
        self.rooms = rooms
        self.out = out
        self.seed = seed
        self.retract = retract
        self.transport = transport
        self.canary = "canary" + "".join(secrets.choice(ascii_lowercase) for _ in range(12))
        self.is_talking = False
        self._rate = rate
        self._chance = random.Random(seed)
        self._doctors = [Doctor(n, token, self) for n, token in enumerate(tokens)]
        self._listening: list[asyncio.Task[None]] = []
        self._talking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Everybody comes in; returns when all are live, and then they begin to talk."""
        facts = journal.Journal(self.out / journal.FACTS)
        facts.note("canary", text=self.canary)
        facts.close()
        lines = [line for doctor in self._doctors for line in doctor.lines]
        self._listening = [asyncio.create_task(line.keep_up()) for line in lines]
        async with asyncio.timeout(QUIET_SECONDS):
            await self._all_live()
        self.is_talking = True
        self._talking = asyncio.create_task(self._talk())

    async def quiesce(self) -> None:
        """Nothing new is said. Returns when all of it is answered, or after a minute."""
        self.is_talking = False
        if self._talking:
            self._talking.cancel()
        for line in (line for doctor in self._doctors for line in doctor.lines):
            line.wanders = False
        until = monotonic() + QUIET_SECONDS
        while not all(each.is_silent for each in self._doctors) and monotonic() < until:
            self._raise_what_failed()
            await asyncio.sleep(TICK_SECONDS)
        for doctor in self._doctors:
            doctor.journal.note("quiet")

    async def stop(self) -> None:
        """Everybody leaves."""
        for doctor in self._doctors:
            doctor.journal.note("done")
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)
        for doctor in self._doctors:
            doctor.journal.close()

    async def drop(self) -> None:
        """Once all are live, every connection ends at once, without a word; everybody comes back."""
        await self._all_live()
        lines = [line for doctor in self._doctors for line in doctor.lines]
        await asyncio.gather(*(line.drop() for line in lines))

    def doctor_of(self, token_number: int) -> str:
        """The name in the journals of whoever has that token, for facts about them."""
        return self._doctors[token_number].name

    async def _all_live(self) -> None:
        while not all(doctor.is_live for doctor in self._doctors):
            self._raise_what_failed()
            await asyncio.sleep(TICK_SECONDS)

    async def _talk(self) -> None:
        started, said = monotonic(), 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            due = int((monotonic() - started) * self._rate)
            for _ in range(due - said):
                doctor = self._chance.choice(self._doctors)
                if not doctor.is_full:
                    doctor.say()
            said = due

    def _raise_what_failed(self) -> None:
        for task in self._listening:
            if task.done():
                task.result()


async def _run(options: argparse.Namespace) -> None:
    crowd = Crowd(
        ports=[int(port) for port in options.ports.split(",")],
        tokens=options.tokens.read_text().split(),
        rooms=options.rooms.split(","),
        rate=options.rate,
        out=options.out,
        seed=options.seed,
        retract=options.retract,
        transport=options.transport,
    )
    enough, over = asyncio.Event(), asyncio.Event()
    dropping: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, enough.set)
    loop.add_signal_handler(signal.SIGUSR2, lambda: dropping.append(loop.create_task(crowd.drop())))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    await crowd.start()
    print("live", flush=True)
    loop.call_later(options.seconds, enough.set)
    await _either(enough, over)
    await crowd.quiesce()
    print("quiet", flush=True)
    await over.wait()
    await crowd.stop()


async def _either(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m tests.chaos.client")
    options.add_argument("--ports", required=True, help="of servers, with commas between")
    options.add_argument("--tokens", required=True, type=Path, help="a bearer token a line")
    options.add_argument("--rooms", required=True, help="with commas between")
    options.add_argument("--rate", type=float, default=200, help="says a second, of all")
    options.add_argument("--seconds", type=float, default=45)
    options.add_argument("--out", required=True, type=Path, help="folder of the journals")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--retract", type=float, default=0.0, help="share of says")
    options.add_argument("--transport", choices=list(TRANSPORTS), default="websocket")
    return options.parse_args(arguments)


if __name__ == "__main__":
    asyncio.run(_run(_options(sys.argv[1:])))
