"""Replay: the texts of a file as a conversation, said over the wire as any program would."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from web.speaker import Speaker, Unreachable

__all__ = ["Replay", "ReplayFault", "Unreachable", "cut", "replay", "texts_of"]

_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*(?=\s)|(?=\n)")
_SPACE = re.compile(r"(?=\s)")


class ReplayFault(Exception):  # noqa: N818 - said to the operator as it stands
    """There is nothing to replay, or nowhere to."""


@dataclass(slots=True)
class Replay:
    """What a replay did."""

    rooms: Sequence[str]
    doctors: int
    texts: int = 0
    said: int = 0
    waits: int = 0
    reconnects: int = 0
    seconds: float = 0.0
    refused: list[str] = field(default_factory=list)
    """A line for each piece that the lounge would not have, without what it said."""

    def summary(self) -> str:
        first = (
            f"{self.texts} texts as {self.said} messages of {self.doctors} doctors "
            f"in {len(self.rooms)} rooms, in {self.seconds:.1f} s."
        )
        second = (
            f"Told to wait {self.waits} times, reconnected {self.reconnects} times, "
            f"refused {len(self.refused)} times."
        )
        return "\n".join([first, second, *self.refused])


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one text; `text` counts the file's rows from 1, `number` the text's pieces."""

    text: int
    number: int
    words: str


def texts_of(file: Path) -> list[str]:
    """The `text` of each row. Raises ReplayFault naming the line that has none."""
    texts = []
    for number, line in enumerate(file.read_text("utf-8").split("\n"), 1):
        try:
            row = json.loads(line) if line.strip() else None
        except ValueError:
            raise ReplayFault(f"{file}, line {number}: not JSON") from None
        if row is not None:
            if not isinstance(row, dict) or not isinstance(row.get("text"), str):
                raise ReplayFault(f'{file}, line {number}: expected an object with a "text"')
            texts.append(row["text"])
    return texts


def cut(text: str, longest: int) -> list[str]:
    """At most `longest` code points each: cut at sentence ends, else between words, else anywhere.

    Only white space where it is cut gets lost.
    """
    pieces, rest = [], text.strip()
    while len(rest) > longest:
        end = _last(_SENTENCE_END, rest, longest) or _last(_SPACE, rest, longest) or longest
        pieces.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*pieces, rest] if rest else pieces


async def replay(
    texts: Sequence[str],
    rooms: Sequence[str],
    tokens: Sequence[str],
    *,
    split: int,
    url: str,
    console: Console | None = None,
) -> Replay:
    """Say every text: a whole one to each room in turn, its pieces in order by doctors in turn.

    One bearer token a doctor. Raises ReplayFault, and Unreachable after a minute without a server.
    """
    if not rooms or not any(texts):
        raise ReplayFault("There is no room to speak in." if texts else "The file holds no text.")
    done = Replay(rooms, len(tokens), texts=len(texts))
    speakers = [Speaker(url, token) for token in tokens]
    begun = time.monotonic()
    with _bar(console) as bar:
        by_room = [_pieces(texts, n, len(rooms), split) for n in range(len(rooms))]
        task = bar.add_task("Saying", total=sum(map(len, by_room)))
        talks = [
            asyncio.create_task(
                _talk(room, pieces, _turns(speakers, n), done, lambda: bar.advance(task))
            )
            for n, (room, pieces) in enumerate(zip(rooms, by_room, strict=True))
        ]
        try:
            await asyncio.gather(*talks)
        finally:
            for talk in talks:
                talk.cancel()
            await asyncio.gather(*talks, return_exceptions=True)
            await asyncio.gather(*(speaker.close() for speaker in speakers))
    done.waits = sum(speaker.waits for speaker in speakers)
    done.reconnects = sum(speaker.reconnects for speaker in speakers)
    done.seconds = time.monotonic() - begun
    return done


async def _talk(
    room: str,
    pieces: Sequence[Piece],
    speakers: Sequence[Speaker],
    done: Replay,
    advance: Callable[[], None],
) -> None:
    """One after the other, each committed before the next is said."""
    for n, piece in enumerate(pieces):
        refusal = await speakers[n % len(speakers)].say(room, piece.words)
        if refusal is None:
            done.said += 1
        else:
            done.refused.append(f"{room}: text {piece.text}, piece {piece.number}: {refusal}")
        advance()


def _pieces(texts: Sequence[str], first: int, step: int, longest: int) -> list[Piece]:
    return [
        Piece(n + 1, number, words)
        for n in range(first, len(texts), step)
        for number, words in enumerate(cut(texts[n], longest), 1)
    ]


def _turns(speakers: Sequence[Speaker], first: int) -> list[Speaker]:
    """Each room begins with another doctor."""
    first %= len(speakers)
    return [*speakers[first:], *speakers[:first]]


def _last(pattern: re.Pattern[str], text: str, longest: int) -> int:
    """Where the last match within `longest` ends; 0 when there is none."""
    ends = (found.end() for found in pattern.finditer(text[: longest + 1]))
    return max((end for end in ends if end <= longest), default=0)


def _bar(console: Console | None) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console or Console(stderr=True),
    )
