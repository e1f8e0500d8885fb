"""Mutual reveal: two of one thread tell each other their names, both or neither."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from storage.schema import offer
from tests.support import Guest, House, new_cid, open_house
from tests.test_faces import another_room, called

ZORA, YANN = "Zora Quill", "Yann Marsh"


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("reveals")
    async with open_house(folder, redis_url, bench=True) as house:
        for name in (ZORA, YANN, "Xenia Frost"):
            await called(house, name)
        yield house


class Thread:
    """Zora asks, Yann answers, Xenia speaks elsewhere in the room."""

    def __init__(self, house: House, room: str) -> None:
        self.house, self.room = house, room

    async def begin(self) -> Thread:
        rooms = (self.room, "me")
        self.zora, self.yann, self.xenia = [
            await self.house.guest(who, *rooms) for who in ("zora", "yann", "xenia")
        ]
        self.question = (await self.zora.say(self.room, "What would you do?"))["seq"]
        answer = await self.yann.say(self.room, "Wait.", reply_to=self.question)
        self.answer = answer["seq"]
        self.aside = (await self.xenia.say(self.room, "Good morning."))["seq"]
        return self

    async def reveal(self, who: Guest, seq: int, **fields: Any) -> dict[str, Any]:
        fields.setdefault("cid", new_cid())
        return await who.ask("reveal", room=self.room, seq=seq, **fields)

    async def notices(self, who: Guest, notice: str) -> list[dict[str, Any]]:
        """Those about this room, once every letter has been carried."""
        await self.house.lounge.relay.carry()
        past = (await who.ask("history", room="me", after=0, limit=200))["events"]
        return [each for each in past if each["notice"] == notice and each["about"] == self.room]


@pytest.fixture
async def thread(house: House) -> Thread:
    return await Thread(house, another_room()).begin()


async def test_names_are_told_when_both_want_it_and_not_before(thread: Thread) -> None:
    await thread.reveal(thread.zora, thread.answer)
    (offered,) = await thread.notices(thread.yann, "reveal_offered")
    assert offered["target"] == thread.question
    assert offered["by"]["as"] == "anonymous"
    assert ZORA not in str(thread.yann.frames)
    assert await thread.notices(thread.zora, "revealed") == []
    await thread.reveal(thread.yann, offered["target"])
    (to_zora,) = await thread.notices(thread.zora, "revealed")
    (to_yann,) = await thread.notices(thread.yann, "revealed")
    assert (to_zora["name"], to_zora["target"]) == (YANN, thread.answer)
    assert (to_yann["name"], to_yann["target"]) == (ZORA, thread.question)
    assert await thread.notices(thread.xenia, "revealed") == []
    assert {ZORA, YANN}.isdisjoint(map(str, thread.xenia.frames))


async def test_an_offer_sent_twice_is_one(thread: Thread) -> None:
    cid = new_cid()
    await thread.reveal(thread.zora, thread.answer, cid=cid)
    again = await thread.reveal(thread.zora, thread.answer, cid=cid)
    assert again["duplicate"] is True
    await thread.reveal(thread.zora, thread.answer)
    assert len(await thread.notices(thread.yann, "reveal_offered")) == 1


async def test_only_who_spoke_in_the_thread_may_offer(thread: Thread) -> None:
    for who, seq, code in (
        (thread.xenia, thread.answer, "forbidden"),
        (thread.zora, thread.aside, "forbidden"),
        (thread.zora, thread.question, "invalid"),
        (thread.zora, 999, "not_found"),
    ):
        refused = await who.refused("reveal", room=thread.room, seq=seq, cid=new_cid())
        assert refused["code"] == code


async def test_two_who_answered_the_same_are_in_one_thread(thread: Thread) -> None:
    await thread.xenia.say(thread.room, "Not I.", reply_to=thread.question)
    await thread.reveal(thread.xenia, thread.answer)
    assert len(await thread.notices(thread.yann, "reveal_offered")) == 1


async def test_after_a_week_an_offer_is_none(thread: Thread) -> None:
    await thread.reveal(thread.zora, thread.answer)
    async with thread.house.lounge.database.writing() as connection:
        await connection.execute(update(offer).values(until=1))
    await thread.reveal(thread.yann, thread.question)
    assert await thread.notices(thread.zora, "revealed") == []
    assert len(await thread.notices(thread.zora, "reveal_offered")) == 1


async def test_whoever_is_ignored_offers_in_vain_and_does_not_learn_it(thread: Thread) -> None:
    shown = (await thread.zora.ask("preview", room=thread.room))["by"]
    await thread.yann.ask("ignore", room=thread.room, persona=shown["id"], on=True)
    await thread.reveal(thread.zora, thread.answer)
    assert await thread.notices(thread.yann, "reveal_offered") == []


async def test_an_offer_is_kept_without_saying_whose_it_is(thread: Thread) -> None:
    await thread.reveal(thread.zora, thread.answer)
    people, doctors = thread.house.lounge.personas, thread.house.lounge.doctors
    ids = [
        id
        for who in ("zora", "yann")
        for id in people.ids_of(
            await doctors.id_of(thread.house.doctors[who]) or "", thread.room, 1
        )
    ]
    async with thread.house.lounge.database.reading() as connection:
        kept = [bytes(row.id) for row in await connection.execute(select(offer))]
    assert kept
    for id in ids:
        assert not {id[n : n + 4] for n in range(13)} & {
            each[n : n + 4] for each in kept for n in range(13)
        }
