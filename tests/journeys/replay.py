"""A whole file as a conversation, and the proof that all of it is there.

    python -m tests.journeys.replay FILE

`lounge replay` says every text to a real `lounge serve --demo`: ten doctors, five specialty rooms, two
country rooms. Then, from outside: each room counts 1…head without a hole, every text is in SQL exactly
once, and twenty phrases, English and French, are found at their entries by `lounge search` and by
`POST /api/search`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.journeys.served import Served
from tests.journeys.talker import Talker
from tests.processes import running
from tests.support import http_client

ROOMS = (
    *("specialty/cardiology", "specialty/emergency-medicine", "specialty/neurology"),
    *("specialty/family-medicine", "specialty/internal-medicine", "country/ca", "country/fr"),
)
DOCTORS = 10
LONGEST = 800
WORDS_A_PHRASE = 5
MINUTES = 30
_WORD = re.compile(r"[^\W\d_]{4,}")
_PAGE = 50
_MOST_HITS = 500


@dataclass(frozen=True, slots=True)
class Text:
    """A row of the file."""

    lang: str
    words: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, as it lies in SQL."""

    room: str
    seq: int
    words: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Some words of a piece that stand side by side, and where they must be found."""

    lang: str
    words: str
    piece: Piece


async def replayed(server: Served, file: Path, *, phrases: int = 20) -> list[str]:
    """Run it all; what was seen, a sentence a line. Raises AssertionError for the first untruth."""
    texts = _texts(file)
    await server.start()
    where = ("--rooms", ",".join(ROOMS), "--doctors", str(DOCTORS), "--split", str(LONGEST))
    told = await server.lounge(
        "replay", str(file), *where, "--url", server.url, seconds=MINUTES * 60
    )
    token = (await server.lounge("token", "ana@demo.invalid")).strip()
    seen = [*told.splitlines(), await _counted(server, token)]
    kept = _kept(server)
    pieces = _joined(texts, kept)
    seen.append(f"SQL: each of the {len(pieces)} texts is there once, in {_count(kept)} entries.")
    for phrase in _phrases(texts, pieces, phrases):
        rank = await _found(server, token, phrase)
        place = f"{phrase.piece.room} {phrase.piece.seq}"
        seen.append(f"Found [{phrase.lang}] at {place}, hit {rank}: {phrase.words}")
    assert server.process
    server.process.signal(signal.SIGTERM)
    assert await asyncio.to_thread(server.process.exit_code) == 0
    return seen


async def _counted(server: Served, token: str) -> str:
    """Every room from its beginning, by a client that was not there: 1…head, each once."""
    talker = Talker(token)
    await talker.connect(server.port)
    heads: dict[str, int] = {}
    for room in ROOMS:
        await talker.join(room)
        heads[room] = (await talker.ask({"op": "history", "room": room, "after": 0}))["head"]
        heard = await talker.reaches(room, heads[room])
        assert [each.seq for each in heard] == list(range(1, heads[room] + 1)), room
    await talker.close()
    assert talker.faults == []
    return "A client counts " + ", ".join(f"{room} 1…{head}" for room, head in heads.items())


def _texts(file: Path) -> list[Text]:
    rows = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line.strip()]
    return [Text(row["lang"], row["text"]) for row in rows]


def _kept(server: Served) -> dict[str, list[Piece]]:
    """The rooms as SQL has them."""
    query = (
        "SELECT room.slug, entry.seq, entry.body FROM entry "
        "JOIN room ON room.id = entry.room_id WHERE entry.kind = 'say' ORDER BY room.slug, seq"
    )
    kept: dict[str, list[Piece]] = {room: [] for room in ROOMS}
    with contextlib.closing(sqlite3.connect(server.folder / "lounge.db")) as lounge:
        for room, seq, body in lounge.execute(query):
            if room in kept:  # the cast have talked in others
                kept[room].append(Piece(room, seq, json.loads(body)["text"]))
    return kept


def _joined(texts: Sequence[Text], kept: dict[str, list[Piece]]) -> list[list[Piece]]:
    """The pieces of each text: side by side in one room, all of its words and no others."""
    pieces: list[list[Piece]] = [[] for _ in texts]
    for n, room in enumerate(ROOMS):
        left: Iterator[Piece] = iter(kept[room])
        for at in range(n, len(texts), len(ROOMS)):
            wanted, got = _tight(texts[at].words), ""
            while len(got) < len(wanted):
                piece = next(left, None)
                assert piece, f"text {at + 1} is not whole in {room}"
                assert len(piece.words) <= LONGEST
                pieces[at].append(piece)
                got += _tight(piece.words)
            assert got == wanted, f"text {at + 1} is not itself in {room}"
        assert next(left, None) is None, f"{room} holds more than its texts"
    return pieces


def _phrases(
    texts: Sequence[Text], pieces: Sequence[Sequence[Piece]], count: int
) -> Iterator[Phrase]:
    """Spread over the file, as many in French as in English: the rarest words that stand together."""
    often = Counter(word.lower() for text in texts for word in _WORD.findall(text.words))
    for lang in ("en", "fr"):
        of_lang = [n for n, text in enumerate(texts) if text.lang == lang]
        share = count // 2
        for n in of_lang[:: max(1, len(of_lang) // share)][:share]:
            longest = max(pieces[n], key=lambda piece: len(piece.words))
            yield Phrase(lang, _rarest(longest.words, often), longest)


def _rarest(text: str, often: Counter[str]) -> str:
    """The stretch of five long words with the fewest other uses, as it stands in the text."""
    words = list(_WORD.finditer(text))
    spans = [words[n : n + WORDS_A_PHRASE] for n in range(max(1, len(words) - WORDS_A_PHRASE + 1))]
    near = [span for span in spans if all(b.start() - a.end() < 6 for a, b in pairwise(span))]
    best = min(near or spans, key=lambda span: sum(often[word[0].lower()] for word in span))
    return text[best[0].start() : best[-1].end()]


async def _found(server: Served, token: str, phrase: Phrase) -> int:
    """The rank among the hits of `/api/search`; both ways of searching find the entry, once."""
    place = (phrase.piece.room, phrase.piece.seq)
    over_http = await _hits(server, token, phrase.words)
    assert over_http.count(place) == 1, f"/api/search does not find {phrase}"
    lines = (await server.lounge("search", phrase.words, "--limit", str(_MOST_HITS))).splitlines()
    by_operator = [(line.split("\t")[0], int(line.split("\t")[1])) for line in lines]
    assert by_operator == over_http, f"`lounge search` finds something else for {phrase}"
    return over_http.index(place) + 1


async def _hits(server: Served, token: str, words: str) -> list[tuple[str, int]]:
    hits: list[tuple[str, int]] = []
    cursor: str | None = None
    headers = {"authorization": f"Bearer {token}"}
    async with http_client(base_url=server.url, headers=headers, timeout=60) as http:
        while len(hits) < _MOST_HITS:
            body = {"q": words, "limit": _PAGE, "cursor": cursor}
            answer = await http.post("/api/search", json=body)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            for hit in page["hits"]:
                assert hit["marks"], hit
                hits.append((hit["room"], hit["seq"]))
            cursor = page.get("cursor")
            if cursor is None:
                break
    return hits


def _tight(text: str) -> str:
    """Without white space: only that may be lost where a text is cut."""
    return "".join(text.split())


def _count(kept: dict[str, list[Piece]]) -> int:
    return sum(map(len, kept.values()))


async def _main(file: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="lounge-replay-") as folder,
        contextlib.contextmanager(running)() as run,
    ):
        server = Served(run, Path(folder), "--demo")
        server.quiet = False
        for line in await replayed(server, file):
            print(line)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
