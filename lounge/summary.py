"""A case as plain text for one's own notes: what was asked, thought, done and seen. No persona is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lounge.consults import Consults
from lounge.doctors import Doctor
from lounge.events import Badge, rfc3339
from lounge.personas import decode_badge
from lounge.receipts import adviser
from lounge.words import say
from storage import ballots, entries
from storage.ballots import Pooling
from storage.consults import OPENING_SEQ
from storage.database import Database
from storage.entries import Entry

MOST_LABELS = 10


@dataclass(frozen=True, slots=True)
class _Log:
    """What of a case's log goes into its summary; what was hidden is missing."""

    case: Entry
    pooling: Pooling | None
    decided: Entry | None
    helped: tuple[Entry, ...]
    outcome: Entry | None


async def summary(
    database: Database, consults: Consults, doctor: Doctor, slug: str, language: str
) -> str:
    """Of a case as it stands now, to whoever may read it. Raises Refusal, StorageError."""
    await consults.admit(doctor, slug)
    log = await _read(database, consults, slug)
    return "\n\n".join(block for block in _blocks(log, language) if block) + "\n"


async def _read(database: Database, consults: Consults, slug: str) -> _Log:
    consult = await consults.must_find(slug)
    wanted = [seq for seq in (OPENING_SEQ, consult.decided, consult.outcome) if seq]
    async with database.reading() as connection:
        (head,) = await entries.heads(connection, [slug])
        found = {each.seq: each for each in await entries.at(connection, head, wanted)}
        decided = _kept(found.get(consult.decided or 0))
        seqs = decided.body["helped"] if decided and decided.body else []
        helped = await entries.at(connection, head, seqs) if seqs else []
        pooling = await ballots.pooling(connection, consult)
    return _Log(
        found[OPENING_SEQ],
        pooling,
        decided,
        tuple(each for each in helped if _kept(each)),
        _kept(found.get(consult.outcome or 0)),
    )


def _kept(each: Entry | None) -> Entry | None:
    return each if each is not None and each.body is not None else None


def _blocks(log: _Log, language: str) -> Iterator[str]:
    yield "\n".join(_case(log.case, language))
    yield "\n".join(_opinions(log.pooling, language))
    for each in log.helped:
        yield _answer(each, language)
    for name, end in (("decided", log.decided), ("outcome", log.outcome)):
        if end is not None and end.body is not None:
            day = rfc3339(end.at)[:10]
            yield f"{say(f'summary.{name}', language, day=day)}\n{end.body['text']}"
    yield say("summary.informal", language)


def _case(case: Entry, language: str) -> Iterator[str]:
    yield say("summary.title", language, day=rfc3339(case.at)[:10])
    body = case.body or {}
    for part in ("question", "decision", "age", "sex", "presentation", "findings", "tried"):
        if value := body.get(part):
            shown = say(f"case.{part}.{value}", language) if part in ("age", "sex") else value
            yield say("summary.line", language, name=say(f"summary.{part}", language), value=shown)


def _opinions(pooling: Pooling | None, language: str) -> Iterator[str]:
    if pooling is None:
        return
    body = pooling.body
    yield say("summary.opinions", language, n=body["opinions"])
    for place, each in enumerate(body["pool"][:MOST_LABELS], 1):
        yield f"{place}. {each['label']} ({each['weight']:.2f})"
    for one in body.get("single") or ():
        yield f"- {_single(one)}"


def _single(one: dict[str, Any]) -> str:
    ranked = " > ".join(one["ranked"])
    return f"{ranked}: {one['why']}" if one.get("why") else ranked


def _answer(each: Entry, language: str) -> str:
    """An answer that helped, under the badge it was shown with; current, and said so if withdrawn."""
    badge: Badge = decode_badge(each.badge)
    who = getattr(adviser(badge), language)
    withdrawn = f"\n{say('summary.withdrawn', language)}" if each.withdrawn else ""
    text = (each.body or {})["text"]
    return f"{say('summary.helped', language, who=who)}\n{text}{withdrawn}"
