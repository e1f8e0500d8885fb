"""Cases as doctors put them: opened, answered blind, revealed, talked about, decided, and how they ended.

    python -m tests.journeys.cases FILE

FILE has a case a line, either as `twenty.jsonl` beside this file or any text as `text`. Scripted doctors on a
real `lounge serve` treat the first twenty; then the board is held against what SQL holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from tests.journeys.board import Told, calculated, on_board
from tests.journeys.served import Served
from tests.journeys.talker import Talker
from tests.processes import running
from tests.support import http_client, new_cid

TWENTY = Path(__file__).with_name("twenty.jsonl")
DOCTORS = 12
CASES = 20
ENOUGH = 4
MOST_HELD = 20
_TEXTS = ("question", "decision", "presentation", "findings", "tried")
_USUAL = ("infection", "a drug", "a tumour", "an autoimmune disease", "thrombosis")
_BANDS = ((1, "infant"), (10, "child"), (18, "adolescent"), (40, "18-39"), (60, "40-59"))


@dataclass(frozen=True, slots=True)
class Case:
    """What is filled in, as the wire has it, and what doctors would answer."""

    fields: dict[str, Any]
    answers: Sequence[str]


@dataclass(slots=True)
class Ward:
    """Doctors with their lines, and the cases that they have treated."""

    talkers: list[Talker]
    rooms: list[str] = field(default_factory=list)
    held: int = 0

    async def treat(self, number: int, case: Case) -> None:
        """From the form to the outcome."""
        author, others = self._team(number)
        opened = await self._put(author, case)
        room: str = opened["consult"]
        self.rooms.append(room)
        for each in (author, *others):
            await each.join(room)
        await _all(each.ask({"op": "looking", "room": room, "on": True}) for each in others)
        await _all(each.ask(_opinion(n, room, case)) for n, each in enumerate(others))
        if len(others) < ENOUGH:
            await _did(author, op="unseal", room=room)
        revealed = await author.sees(room, "consult.reveal")
        assert revealed["opinions"] == len(others)
        said = [await _did(each, op="say", room=room, text="As I put first.") for each in others]
        await _did(author, op="decide", room=room, did="As most said.", helped=[said[0]["seq"]])
        if number % 4:
            await _did(author, op="outcome", room=room, text="Better after two days.")
            await others[0].sees(room, "consult.outcome")

    async def _put(self, author: Talker, case: Case) -> dict[str, Any]:
        """As a doctor does whom the privacy guard holds up: what it marks is left out."""
        fields = dict(case.fields)
        for _ in range(MOST_HELD):
            answer = await author.ask({"op": "consult", **fields, "cid": new_cid()})
            if answer.get("code") != "held_privacy":
                assert answer["op"] == "ok", answer
                return answer
            self.held += 1
            where = answer["field"]
            for span in sorted(answer["spans"], key=lambda each: -int(each["start"])):
                text = fields[where]
                fields[where] = f"{text[: span['start']]}…{text[span['end'] :]}"
        raise AssertionError("held for ever")

    def _team(self, number: int) -> tuple[Talker, list[Talker]]:
        """An author, and two to four who answer: too few for a pool, few, and enough to close it."""
        size, count = 2 + number % 3, len(self.talkers)
        order = [self.talkers[(number + n) % count] for n in range(size + 1)]
        return order[0], order[1:]


def read(file: Path, most: int = CASES) -> list[Case]:
    """The first cases of a file."""
    rows = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line.strip()]
    return [_case(n, row) for n, row in enumerate(rows[:most])]


async def treated(server: Served, cases: Sequence[Case], database: str | None) -> list[str]:
    """All of it; what was seen, a sentence a line. Raises AssertionError for the first untruth."""
    tokens = await server.tokens(DOCTORS)
    await server.start()
    ward = Ward([Talker(token) for token in tokens])
    for each in ward.talkers:
        await each.connect(server.port)
    for number, case in enumerate(cases):
        await ward.treat(number, case)
    for each in ward.talkers:
        await each.close()
        assert each.faults == []
    assert len(set(ward.rooms)) == len(cases)
    headers = {"authorization": f"Bearer {tokens[0]}"}
    async with http_client(base_url=server.url, headers=headers, timeout=60) as http:
        board, figures = await on_board(http)
    kept = await calculated(server.folder, database)
    return [
        f"{len(cases)} cases treated; the guard held {ward.held}.",
        *_same(board, figures, kept),
    ]


def _same(board: dict[str, Told], figures: dict[str, Any], kept: dict[str, Told]) -> list[str]:
    """The board says of each case what the log says, and its figures are those of the log's times."""
    listed = {slug: replace(each, first_s=None) for slug, each in kept.items()}
    assert board == listed, (board, listed)
    waited = sorted(each.first_s for each in kept.values() if each.first_s is not None)
    usual = Usual.of(waited)
    said = Usual(figures.get("median_s"), figures.get("p90_s"), figures["n"])
    assert said == usual, (said, usual)
    for parts in ("by_hour", "by_day"):
        assert sum(each["n"] for each in figures[parts]) == usual.n, parts
    return [f"The board has {len(board)} cases as SQL has them; {usual}."]


@dataclass(frozen=True, slots=True)
class Usual:
    """Seconds to a first opinion: the middle, and what nine of ten do not exceed."""

    median_s: float | None
    p90_s: float | None
    n: int

    @classmethod
    def of(cls, waited: Sequence[float]) -> Usual:
        """Of ascending seconds; the ninth tenth by nearest rank."""
        count = len(waited)
        if not count:
            return cls(None, None, 0)
        return cls(round(median(waited), 3), waited[-(-9 * count // 10) - 1], count)


def _case(number: int, row: dict[str, Any]) -> Case:
    if "text" in row:
        return _published(number, row["text"])
    fields = {name: row[name] for name in _TEXTS if name in row}
    known = {"age": _band(row["age"]), "sex": row["sex"], "urgency": row["urgency"]}
    return Case({**fields, **known, **_asking(row["specialties"])}, row["answers"])


def _published(number: int, text: str) -> Case:
    words = " ".join(text.split())
    fields = {"question": f"{words[:240]}… What is it?", "presentation": words[:2000]}
    if len(words) > 2000:
        fields["findings"] = words[2000:4000]
    urgency = ("routine", "today", "now")[number % 3]
    return Case({**fields, "urgency": urgency, **_asking(["internal-medicine"])}, _USUAL)


def _asking(specialties: Sequence[str]) -> dict[str, Any]:
    return {"specialties": list(specialties), "enough": ENOUGH}


def _band(age: int) -> str:
    """As the form has it: an age in years could be somebody's."""
    return next((band for below, band in _BANDS if age < below), "80+" if age >= 80 else "60-79")


def _opinion(number: int, room: str, case: Case) -> dict[str, Any]:
    """Each leans another way."""
    turned = [*case.answers[number % 2 :], *case.answers[: number % 2]]
    why = {"why": "I have seen two of these."} if number == 0 else {}
    return {"op": "opine", "room": room, "ranked": turned[:3], **why, "cid": new_cid()}


async def _did(talker: Talker, **command: Any) -> dict[str, Any]:
    answer = await talker.ask({**command, "cid": new_cid()})
    assert answer["op"] == "ok", (command, answer)
    return answer


async def _all(asking: Any) -> None:
    for answer in await asyncio.gather(*asking):
        assert answer["op"] == "ok", answer


async def _main(file: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="lounge-cases-") as folder,
        contextlib.contextmanager(running)() as run,
    ):
        server = Served(run, Path(folder), LOUNGE_BENCH="1")
        for line in await treated(server, read(file), None):
            print(line)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
