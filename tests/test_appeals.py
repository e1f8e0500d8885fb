"""Appeals: the author asks, another moderator decides, and what was done is taken back or stands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from lounge.moderating.hands import Hands
from storage import hands
from storage.hands import Hand
from storage.schema import appeal, hand
from tests.backends import on_postgres
from tests.queue import at, moderator, new_room, reports, seated
from tests.queue import report as reports_it
from tests.stores import Stores
from tests.support import Guest, House, new_cid, open_house

WRITTEN = "Your last letter was useless."
ASKS = "I only quoted what he had written himself."


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("appeals"), redis_url, bench=True) as house:
        yield house


@pytest.fixture
async def milo(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    """Another moderator than the one who acts, who is Mara."""
    async with moderator(house, "milo") as client:
        yield client


async def acted_on(
    house: House, act: str, room: str | None = None, **terms: Any
) -> tuple[Guest, str, int]:
    """Ana, and an entry of hers that Mara acted on."""
    room = room or new_room()
    ana = await seated(house, "ana", room)
    seq = (await ana.say(room, WRITTEN))["seq"]
    await house.moderate(act, room, seq, reason="harassment", **terms)
    if act == "remove":  # to come back where she may still be
        await ana.closed()
    return await seated(house, "ana"), room, seq


async def appeals(ana: Guest, room: str, seq: int, **fields: Any) -> None:
    await ana.ask("appeal", **{"room": room, "seq": seq, "text": ASKS, "cid": new_cid(), **fields})


async def listed(client: httpx2.AsyncClient, room: str) -> list[dict[str, Any]]:
    answer = await client.get("/api/appeals")
    assert answer.status_code == 200, answer.text
    return [each for each in answer.json()["appeals"] if each["room"] == room]


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_another_moderator_shows_again_what_one_has_hidden(
    house: House, milo: httpx2.AsyncClient
) -> None:
    ana, room, seq = await acted_on(house, "hide")
    await appeals(ana, room, seq)
    await ana.join("me")
    [found] = await listed(milo, room)
    assert (found["act"], found["reason"], found["text"]) == ("hide", "harassment", ASKS)
    assert (found["event"]["kind"], "words" in found) == ("tombstone", False)
    claimed = await milo.post(f"/api/appeals/{found['id']}/claim")
    assert claimed.json()["words"] == WRITTEN
    closed = await milo.post(f"/api/appeals/{found['id']}/close", json={"outcome": "lifted"})
    assert closed.status_code == 204, closed.text
    assert (await at(ana, room, seq))["text"] == WRITTEN
    notice = await ana.hears("event", room="me", notice="appeal_lifted", about=room)
    assert notice["target"] == seq
    assert await listed(milo, room) == []


async def test_nobody_decides_about_her_own_hand(house: House, milo: httpx2.AsyncClient) -> None:
    ana, room, seq = await acted_on(house, "hide")
    await appeals(ana, room, seq)
    [found] = await listed(milo, room)
    async with moderator(house, "mara") as mara:
        assert await listed(mara, room) == []
        for path, body in (("claim", None), ("close", {"outcome": "upheld"})):
            refused = await mara.post(f"/api/appeals/{found['id']}/{path}", json=body)
            assert code(refused) == (403, "forbidden")


async def test_what_stands_is_told_and_cannot_be_appealed_twice(
    house: House, milo: httpx2.AsyncClient
) -> None:
    ana, room, seq = await acted_on(house, "hide")
    cid = new_cid()
    await appeals(ana, room, seq, cid=cid)
    await ana.join("me")
    again = await ana.ask("appeal", room=room, seq=seq, text=ASKS, cid=cid)
    assert again["duplicate"] is True
    twice = await ana.refused("appeal", room=room, seq=seq, text=ASKS, cid=new_cid())
    assert twice["code"] == "invalid"
    [found] = await listed(milo, room)
    await milo.post(f"/api/appeals/{found['id']}/claim")
    await milo.post(f"/api/appeals/{found['id']}/close", json={"outcome": "upheld"})
    await ana.hears("event", room="me", notice="appeal_upheld", about=room)
    assert (await at(ana, room, seq))["kind"] == "tombstone"


async def test_of_an_hour_that_was_hidden_each_entry_comes_before_another_moderator(
    house: House, milo: httpx2.AsyncClient
) -> None:
    room = new_room()
    ana = await seated(house, "ana", room)
    seqs = [(await ana.say(room, f"{WRITTEN} {n}"))["seq"] for n in range(3)]
    await house.moderate("hide_hour", room, seqs[0], reason="harassment")
    for seq in seqs:
        await appeals(ana, room, seq)
    async with moderator(house, "mara") as mara:
        assert await listed(mara, room) == []
    assert [each["seq"] for each in await listed(milo, room)] == seqs


async def test_a_warning_is_appealed_and_comes_before_another_moderator(
    house: House, milo: httpx2.AsyncClient
) -> None:
    ana, room, seq = await acted_on(house, "warn")
    await appeals(ana, room, seq)
    await ana.join("me")
    async with moderator(house, "mara") as mara:
        assert await listed(mara, room) == []
    [found] = await listed(milo, room)
    assert (found["act"], found["reason"]) == ("warn", "harassment")
    await milo.post(f"/api/appeals/{found['id']}/claim")
    closed = await milo.post(f"/api/appeals/{found['id']}/close", json={"outcome": "lifted"})
    assert closed.status_code == 204, closed.text
    await ana.hears("event", room="me", notice="appeal_lifted", about=room, target=seq)


async def test_what_is_hers_to_decide_is_found_behind_any_number_of_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lounge.moderating.appeals.SHOWN", 2)
    urology = "specialty/urology"
    for place in (None, None, None, urology):
        ana, room, seq = await acted_on(house, "hide", place)
        await appeals(ana, room, seq)
    async with moderator(house, "rosa", f"moderator:{urology}") as rosa:
        assert [each["seq"] for each in await listed(rosa, urology)] == [seq]


@pytest.mark.parametrize("act", ["mute", "remove"])
async def test_a_sanction_is_appealed_by_the_entry_that_it_was_for(
    house: House, milo: httpx2.AsyncClient, act: str
) -> None:
    ana, room, seq = await acted_on(house, act, minutes=60)
    await appeals(ana, room, seq)  # also by whoever may not be in the room any more
    [found] = await listed(milo, room)
    assert (found["act"], found["reason"]) == (act, "harassment")
    await milo.post(f"/api/appeals/{found['id']}/claim")
    closed = await milo.post(f"/api/appeals/{found['id']}/close", json={"outcome": "lifted"})
    assert closed.status_code == 204, closed.text
    await (await seated(house, "ana", room)).say(room, "Thank you.")


async def test_a_sanction_everywhere_is_appealed_only_where_it_was_imposed(house: House) -> None:
    ana, room, seq = await acted_on(house, "mute", minutes=60, everywhere=True)
    other = new_room()
    async with house.lounge.database.reading() as connection:
        before = (await connection.execute(select(appeal.c.id))).all()
    elsewhere = await seated(house, "ana", other)
    refused = await elsewhere.refused("appeal", room=other, seq=seq, text=ASKS, cid=new_cid())
    assert refused["code"] == "not_found"
    async with house.lounge.database.reading() as connection:
        assert (await connection.execute(select(appeal.c.id))).all() == before
    await appeals(ana, room, seq)
    async with moderator(house, "milo") as milo:
        [found] = await listed(milo, room)
        await milo.post(f"/api/appeals/{found['id']}/claim")
        await milo.post(f"/api/appeals/{found['id']}/close", json={"outcome": "lifted"})


async def test_only_the_author_appeals_and_only_what_was_decided(house: House) -> None:
    _, room, seq = await acted_on(house, "hide")
    ben = await seated(house, "ben", room)
    own = (await ben.say(room, "Let us go on."))["seq"]
    for at_ in (seq, own):
        refused = await ben.refused("appeal", room=room, seq=at_, text=ASKS, cid=new_cid())
        assert refused["code"] == "not_found"
    nowhere = await ben.refused("appeal", room="bench/999", seq=1, text=ASKS, cid=new_cid())
    assert nowhere["code"] == "not_found"


async def test_what_a_crowd_has_hidden_any_moderator_decides(
    house: House, milo: httpx2.AsyncClient
) -> None:
    room = new_room()
    ana = await seated(house, "ana", room)
    seq = (await ana.say(room, WRITTEN))["seq"]
    for name in ("ben", "chiara", "denis"):
        await reports_it(house, name, room, seq, "advertising")
    await appeals(ana, room, seq)
    [found] = await listed(milo, room)
    assert (found["act"], found["reason"]) == ("hide", "advertising")


def _bench_on(urls: dict[str, str]) -> dict[str, Any]:
    return {"bench": True, **urls}


async def test_report_queue_and_appeal_are_the_same_on_postgresql(
    tmp_path: Path, redis_url: str, postgres_url: str
) -> None:
    async with (
        on_postgres(postgres_url) as urls,
        open_house(tmp_path, redis_url, **_bench_on(urls)) as house,
        moderator(house, "mara") as mara,
        moderator(house, "milo") as milo,
    ):
        room = new_room()
        ana = await seated(house, "ana", room)
        text = "Seen on 12 March 2024 for the first time."
        seq = (await ana.say(room, text, not_patient=True))["seq"]
        assert [each["seq"] for each in (await mara.get("/api/waived")).json()["waived"]] == [seq]
        crowd = [await seated(house, f"crowd-{n}", room) for n in range(5)]
        place = {"room": room, "seq": seq, "kind": "advertising"}
        await asyncio.gather(*(each.ask("report", cid=new_cid(), **place) for each in crowd))
        await ana.join(room, since=0)
        hides = {each["id"] for each in ana.events[room] if each["kind"] == "mod.hide"}
        assert len(hides) == 1
        id = (await reports(mara, room))[0]["id"]
        taken = await asyncio.gather(
            *(each.post(f"/api/reports/{id}/claim") for each in (mara, milo))
        )
        assert sorted(each.status_code for each in taken) == [200, 403]
        mine, other = (mara, milo) if taken[0].status_code == 200 else (milo, mara)
        await mine.post(f"/api/reports/{id}/notes", json={"text": "Seen before."})
        await mine.post(f"/api/reports/{id}/close", json={"outcome": "upheld"})
        await appeals(ana, room, seq)
        [found] = await listed(other, room)
        await other.post(f"/api/appeals/{found['id']}/claim")
        await other.post(f"/api/appeals/{found['id']}/close", json={"outcome": "lifted"})
        assert (await at(ana, room, seq))["text"] == text


# -- hands ---------------------------------------------------------------------------------------


async def test_a_hand_is_known_with_the_moderator_and_never_without(stores: Stores) -> None:
    known = Hands(stores.keys)
    acts = ("one", "two")
    async with stores.lounge.writing() as connection:
        for act in acts:
            step = known.row("mara", act)
            await connection.execute(step.statement, dict(step.values))
    async with stores.lounge.reading() as connection:
        found = await hands.of(connection, acts)
        rows = (await connection.execute(select(hand))).all()
    assert all(known.is_own("mara", [each]) for each in found)
    assert not known.is_own("milo", found)
    assert not known.is_own("mara", [])
    values = [bytes(value) for row in rows for value in (row.salt, row.mark)]
    assert len(set(values)) == len(values) == 4  # nothing that two acts of hers share
    other = Hand("three", found[0].salt, found[1].mark)
    assert not known.is_own("mara", [other])
