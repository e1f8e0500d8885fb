"""SIGTERM under load, with peers that take nothing and peers that never finished saying hello."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from time import monotonic

import asyncpg

from tests.scale.client import Client, summed, until
from tests.scale.house import Backend, Server, Stores, open_server, stores
from tests.scale.line import Frame
from tests.scale.peers import half_handshake, stalled
from tests.scale.report import Figure, Report, Table
from tests.scale.words import mark, words

BACKENDS: tuple[Backend, ...] = ("sqlite", "postgres")
CLIENTS, ROOMS = 100, 4
STALLED, HALF = 20, 20
PAUSE_SECONDS = 0.005
LETTERS = 400
LOAD_SECONDS = 8.0
MOST_SECONDS = 15.0
_BACK_SECONDS = 30.0

Place = tuple[str, int, str]
"""Room, seq and id of an entry."""


class Load:
    """A hundred doctors in four rooms who say 200 messages a second, and what was acked of it."""

    def __init__(self, tokens: list[str]) -> None:
        self.clients = [
            Client(token, f"bench/{1 + n % ROOMS}") for n, token in enumerate(tokens[:CLIENTS])
        ]
        self.acked: dict[str, Place] = {}
        self.answers: Counter[str] = Counter()
        self.last_ack = 0.0

    async def speak(self) -> None:
        """In turn, whoever is there, whatever the answers."""
        began, n = monotonic(), 0
        while True:
            client = self.clients[n % CLIENTS]
            if client.is_live:
                self._say(client)
            n += 1
            await asyncio.sleep(max(0, began + n * PAUSE_SECONDS - monotonic()))

    def has(self, heads: dict[str, int]) -> bool:
        """Everybody is live with everything up to these heads."""
        return all(each.is_live and each.seq == heads[each.room] for each in self.clients)

    def _say(self, client: Client) -> None:
        text = f"{mark()} {words(LETTERS)}"

        def answered(future: asyncio.Future[Frame | None]) -> None:
            answer = future.result()
            if answer is None:
                self.answers["none"] += 1
            elif answer.op == "ok":
                self.answers["ok"] += 1
                self.last_ack = monotonic()
                self.acked[text] = (client.room, answer.seq, answer.id)
            else:
                self.answers[str(answer.code)] += 1

        client.say(text).add_done_callback(answered)


@dataclass(frozen=True, slots=True)
class Parting:
    """How the first server went: seconds after the signal, and its exit code."""

    gone_seconds: float
    code: int
    last_ack_seconds: float


async def run(backend: Backend) -> Report:
    """Load, SIGTERM, a look into the database, and a start at the same port."""
    async with stores(backend) as where, open_server(where) as server:
        tokens = await where.tokens(CLIENTS + STALLED)
        load = Load(tokens)
        staying = [asyncio.create_task(each.stay(server.port)) for each in load.clients]
        try:
            assert await until(lambda: all(each.is_live for each in load.clients), 20)
            parting = await _terminated(server, load, tokens[CLIENTS:])
            kept = await _kept(where)
            heads = {room: max(seq for name, seq, _ in kept if name == room) for room, *_ in kept}
            await server.start()
            began = monotonic()
            await until(lambda: load.has(heads), _BACK_SECONDS)
            back_seconds = max(each.changed_at for each in load.clients) - began
            tables = (_of(parting), _of_acts(load, kept), _of_clients(load, heads, back_seconds))
            return Report("parting", backend, tables, _NOTES)
        finally:
            for task in staying:
                task.cancel()


async def _terminated(server: Server, load: Load, tokens: list[str]) -> Parting:
    speaking = asyncio.create_task(load.speak())
    room = load.clients[0].room
    lines = await asyncio.gather(*(stalled(server.port, token, room) for token in tokens))
    await asyncio.sleep(LOAD_SECONDS)
    with contextlib.ExitStack() as halves:
        for _ in range(HALF):
            halves.enter_context(half_handshake(server.port))
        await asyncio.sleep(0.5)  # the kernel has them; the server need not have looked
        began = monotonic()
        server.terminate()
        code = await server.gone()
        gone = monotonic()
    speaking.cancel()
    for line in lines:
        line.cut()
    return Parting(gone - began, code, load.last_ack - began)


async def _kept(where: Stores) -> dict[Place, str]:
    """The first word of every entry, read from the database itself."""
    query = (
        "SELECT room.slug, entry.seq, entry.id, entry.body "
        "FROM entry JOIN room ON room.id = entry.room_id"
    )
    if where.backend == "sqlite":
        with contextlib.closing(sqlite3.connect(where.folder / "lounge.db")) as lounge:
            rows = lounge.execute(query).fetchall()
    else:
        connection = await asyncpg.connect(where.lounge_url.replace("+asyncpg", ""))
        rows = [tuple(row) for row in await connection.fetch(query)]
        await connection.close()
    return {(room, seq, id): json.loads(body)["text"] for room, seq, id, body in rows}


def _of(parting: Parting) -> Table:
    table = Table(("the server", "measured"))
    table.add("gone after", Figure(parting.gone_seconds, "s", MOST_SECONDS))
    table.add("exit code", Figure(parting.code, "", 0))
    table.add("last answer after", Figure(parting.last_ack_seconds, "s"))
    return table


def _of_acts(load: Load, kept: dict[Place, str]) -> Table:
    texts = Counter(kept.values())
    table = Table(("the messages", "measured"))
    table.add("answers", summed([load.answers]))
    lost = sum(kept.get(place) != text for text, place in load.acked.items())
    table.add("acked and not in SQL", Figure(lost, "", 0))
    table.add("in SQL twice", Figure(sum(n > 1 for n in texts.values()), "", 0))
    refused = sum(n for name, n in load.answers.items() if name not in ("ok", "none"))
    table.add("refused", Figure(refused))
    return table


def _of_clients(load: Load, heads: dict[str, int], back_seconds: float) -> Table:
    clients = load.clients
    away = sum(not (each.is_live and each.seq == heads[each.room]) for each in clients)
    table = Table(("the clients", "measured"))
    table.add("told when to come back", Figure(sum(each.byes for each in clients)))
    table.add("closed with", summed(each.ends for each in clients))
    table.add("refused meanwhile", summed(each.refusals for each in clients))
    table.add("all back, with everything, after the start", Figure(back_seconds, "s"))
    table.add("not back", Figure(away, "", 0))
    table.add("holes, doubles, resets", Figure(sum(len(each.faults) for each in clients), "", 0))
    return table


_NOTES = (
    f"{CLIENTS} clients in {ROOMS} rooms, {1 / PAUSE_SECONDS:.0f} messages a second of {LETTERS} "
    f"letters, {STALLED} peers that joined and take nothing, {HALF} half handshakes; "
    f"SIGTERM after {LOAD_SECONDS:.0f} s.",
    "An answer of none: the line ended first, so that a client would ask again with its client id.",
)
