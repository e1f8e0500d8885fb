"""The way in for texts: what is marked softly is posted on its author's word, and moderators can know."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from storage.schema import entry
from tests.support import Guest, House, new_cid, open_house

ROOM = "world"
SOFT = "Seen on 12 March 2024 for the first time."
FRENCH = "Mme Tremblay, née le 3 mars 1931, RAMQ TREM 3153 0312, OG dilatée"
HARD = "MRN 4471829, seen on 12 March 2024."


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    async with open_house(folder, redis_url, bench=True) as house:
        await house.fill_crowd()
        yield house


async def _body(house: House, id: str) -> dict[str, Any]:
    async with house.lounge.database.reading() as connection:
        body = await connection.scalar(select(entry.c.body).where(entry.c.id == id))
    assert body is not None
    return dict(json.loads(body))


async def test_a_soft_mark_is_held_until_its_author_answers_for_it(house: House) -> None:
    ana, ben = await house.guest("ana", ROOM), await house.guest("ben", ROOM)
    said: dict[str, Any] = {"room": ROOM, "cid": new_cid(), "text": SOFT}
    held = await ana.refused("say", **said)
    assert held["code"] == "held_privacy"
    (span,) = held["spans"]
    assert (span["kind"], span["level"], span["instead"]) == ("date", "soft", "[date]")
    done = await ana.ask("say", **said, not_patient=True)
    heard = (await ben.reaches(ROOM, done["seq"]))[-1]
    assert heard["text"] == SOFT
    assert "waived" not in heard
    assert (await _body(house, done["id"]))["waived"] == ["date"]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [(HARD, ["file_number"]), (FRENCH, ["name", "birth_date", "patient_number"])],
    ids=["english", "french"],
)
async def test_what_is_hard_is_held_whatever_its_author_says(
    house: House, text: str, kinds: list[str]
) -> None:
    ana = await house.guest("ana", ROOM)
    held = await ana.refused("say", room=ROOM, cid=new_cid(), text=text, not_patient=True)
    assert [span["kind"] for span in held["spans"]] == kinds
    assert (await ana.ask("search", q=text))["hits"] == []


async def test_without_a_mark_her_word_leaves_nothing(house: House) -> None:
    ana = await house.guest("ana", ROOM)
    done = await ana.say(ROOM, "Lyse or wait?", not_patient=True)
    assert "waived" not in await _body(house, done["id"])


@pytest.mark.parametrize(
    ("op", "fields"),
    [
        ("poll", {"question": SOFT, "choices": ["This", "That"]}),
        ("poll", {"question": "Which?", "choices": [SOFT, "That"]}),
        ("consult", {"question": SOFT, "specialties": ["neurology"], "room": None}),
        ("ask_now", {"text": SOFT, "specialty": "neurology", "room": None}),
    ],
)
async def test_every_way_in_for_words_takes_her_word(
    house: House, op: str, fields: dict[str, Any]
) -> None:
    ben = await house.guest("ben", ROOM)
    given = {name: each for name, each in ({"room": ROOM} | fields).items() if each is not None}
    assert (await ben.refused(op, cid=new_cid(), **given))["code"] == "held_privacy"
    await ben.ask(op, cid=new_cid(), **given, not_patient=True)


async def test_both_are_counted_and_told_of_with_their_room(house: House) -> None:
    ana, guarding = await house.guest("ana", ROOM), house.lounge.conversation.guarding
    told: list[tuple[str, str]] = []
    before, usual, guarding.noted = guarding.counts.copy(), guarding.noted, _into(told)
    try:
        await ana.refused("say", room=ROOM, cid=new_cid(), text=SOFT)
        await ana.say(ROOM, SOFT, not_patient=True)
    finally:
        guarding.noted = usual
    assert told == [(ROOM, "held"), (ROOM, "waived")]
    assert guarding.counts - before == {"held": 1, "waived": 1}


async def test_a_text_is_examined_while_it_is_typed_and_nothing_of_it_stays(house: House) -> None:
    ana: Guest = await house.guest("ana")
    found = await ana.ask("examine", text=HARD)
    assert [span["level"] for span in found["spans"]] == ["hard", "soft"]
    assert found["names_checked"] is True
    assert all(span["why"] for span in found["spans"])
    assert (await ana.ask("examine", text="Stable."))["spans"] == []
    assert (await ana.refused("examine", text="x" * 8001))["code"] == "too_long"


async def test_a_long_text_counts_as_several_verdicts(tmp_path: Path, redis_url: str) -> None:
    async with open_house(tmp_path, redis_url) as house:
        ana = await house.guest("ana")
        for _ in range(6):
            await ana.ask("examine", text="x" * 8000)  # sixteen each, of a hundred
        refused = await ana.refused("examine", text="x" * 8000)
        assert (refused["code"], refused["retry_after"] > 0) == ("rate_limited", True)
        ben = await house.guest("ben")
        for _ in range(17):
            await ben.ask("examine", text="x" * 400)
        assert (await ben.ask("examine", text="x" * 500))["spans"] == []


async def test_in_another_language_the_verdict_says_that_names_are_not_checked(
    house: House,
) -> None:
    ana = await house.guest("ana")
    text = "Der Patient wurde gestern mit Fieber und Husten aufgenommen und ist heute wieder wach."
    assert (await ana.ask("examine", text=text))["names_checked"] is False


def _into(told: list[tuple[str, str]]) -> Any:
    return lambda room, what: told.append((room, what))
