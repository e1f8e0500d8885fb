"""A text that a rule holds: sealed, read by one moderator, then posted as its author's or dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lounge.leaving import Leaving
from lounge.moderating.waiting import MOST_WAITING
from storage import audit, waiting
from tests.support import CAST, Guest, House, Refused, new_cid, open_house

ROOM = "specialty/cardiology"
"""In which nobody of the staff ever speaks."""
HELD = {
    "name": "Looked at first",
    "test": {"kind": "pattern", "pattern": "minerva"},
    "action": "hold",
    "reason": "advertising",
    "words": "Adverts are looked at first.",
}


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    async with open_house(folder, redis_url) as house:
        for name in ("mara", "mona"):
            await house.doctor(name, **CAST["moira"])
            house.passes[name] = await house.token(name)
        async with house.http(house.passes["mara"]) as http:
            assert (await http.post("/api/rules", json=HELD)).status_code == 201
        yield house


@pytest.fixture
async def mara(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    async with house.http(house.passes["mara"]) as http:
        yield http


@pytest.fixture
async def mona(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    async with house.http(house.passes["mona"]) as http:
        yield http


async def held(guest: Guest, text: str, cid: str | None = None, **fields: Any) -> None:
    refused = await guest.refused("say", room=ROOM, text=text, cid=cid or new_cid(), **fields)
    assert refused["code"] == "held_rule"
    assert HELD["words"] in refused["message"]


async def waits(http: httpx2.AsyncClient) -> dict[str, Any]:
    """The newest that waits."""
    lines: list[dict[str, Any]] = (await http.get("/api/waiting")).json()["waiting"]
    return lines[-1]


async def claimed(http: httpx2.AsyncClient) -> tuple[str, str]:
    id = (await waits(http))["id"]
    answer = await http.post(f"/api/waiting/{id}/claim")
    assert answer.status_code == 200, answer.text
    return id, answer.json()["text"]


async def close(http: httpx2.AsyncClient, id: str, outcome: str, **more: Any) -> int:
    answer = await http.post(f"/api/waiting/{id}/close", json={"outcome": outcome, **more})
    return answer.status_code


async def test_what_is_held_nobody_reads_and_once_released_it_is_hers(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ana, ben = await house.guest("ana", ROOM, "me"), await house.guest("ben", ROOM)
    asked = await ben.say(ROOM, "Which one?")
    cid = new_cid()
    for _ in range(2):  # sent again, one waits
        await held(ana, "Try minerva from the shelf", cid, reply_to=asked["seq"])
    lines = (await mara.get("/api/waiting")).json()["waiting"]
    assert [set(each) for each in lines] == [{"id", "room", "rule", "reason", "at", "claimed"}]
    id, text = await claimed(mara)
    assert text == "Try minerva from the shelf"
    assert await close(mara, id, "released") == 204
    seen = await ben.hears("event", room=ROOM, kind="say", text=text)
    assert seen["reply_to"] == asked["seq"]
    assert seen["by"]["id"] in [each["id"] for each in (await ana.join(ROOM))["you"]]
    again = await ana.say(ROOM, text, cid=cid, reply_to=asked["seq"])
    assert (again["seq"], again["duplicate"]) == (seen["seq"], True)
    await ana.hears("event", kind="notice", notice="released", about=ROOM, name=HELD["name"])
    assert [each["seq"] for each in (await ben.ask("search", q="minerva"))["hits"]] == [seen["seq"]]
    said = await ana.say(ROOM, "And here I am as before")
    await ben.reaches(ROOM, said["seq"])
    assert ben.events[ROOM][-1]["by"] == seen["by"]


async def test_what_is_refused_is_gone_and_she_is_told_why(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ben = await house.guest("ben", ROOM, "me")
    await held(ben, "We like minerva for everybody")
    id, _ = await claimed(mara)
    assert await close(mara, id, "refused", reason="other") == 204
    notice = await ben.hears("event", kind="notice", notice="refused", about=ROOM)
    assert (notice["reason"], notice["name"]) == ("other", HELD["name"])
    assert await close(mara, id, "released") == 404
    assert (await ben.ask("search", q="everybody"))["hits"] == []


async def test_of_two_moderators_one_reads_it(
    house: House, mara: httpx2.AsyncClient, mona: httpx2.AsyncClient
) -> None:
    chiara = await house.guest("chiara", ROOM)
    await held(chiara, "We like minerva for two")
    id, _ = await claimed(mara)
    assert ((await waits(mara))["claimed"], (await waits(mona))["claimed"]) == ("mine", "other")
    second = await mona.post(f"/api/waiting/{id}/claim")
    assert (second.status_code, second.json()["error"]["retry_after"] > 800) == (403, True)
    assert await close(mona, id, "released") == 403
    assert (await mara.post(f"/api/waiting/{id}/release")).status_code == 204
    assert await close(mara, id, "refused") == 403  # nobody's by now
    assert (await mona.post(f"/api/waiting/{id}/claim")).status_code == 200
    assert await close(mona, id, "refused") == 204


async def test_reading_and_deciding_are_in_the_audit_and_the_text_is_not(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ana = await house.guest("ana", ROOM)
    async with house.lounge.database.reading() as connection:
        before = (await audit.head(connection, "lounge")).seq
    await held(ana, "We like minerva once more")
    id, _ = await claimed(mara)
    await close(mara, id, "released")
    async with house.lounge.database.reading() as connection:
        rows = [each async for each in audit._rows(connection, audit._CHAINS["lounge"])][before:]
    acts = [(each.act, each.by) for each in rows]
    assert acts == [
        ("rule.held", "house"),
        ("read.waiting", "moderator"),  # the list
        ("read.waiting", "moderator"),
        ("rule.released", "moderator"),
    ]
    assert not any("minerva" in f"{each.about} {each.detail}" for each in rows)


async def test_the_store_holds_neither_the_words_nor_whose_they_are(house: House) -> None:
    ana = await house.guest("ana", ROOM)
    await held(ana, "We like minerva and the xylophone")
    async with house.lounge.database.reading() as connection:
        rows = await waiting.everything(connection, 100)
    id = str(await house.lounge.doctors.id_of(await house.doctor("ana")))
    kept = b"".join(row.sealed for row in rows)
    assert b"xylophone" not in kept
    assert id.encode() not in kept
    with pytest.raises(Exception, match="no key opens"):
        house.lounge.keys.persona.unseal("waiting", rows[-1].sealed, rows[-1].id.encode())
    files = [house.settings.data / name for name in ("lounge.db", "lounge.db-wal")]
    assert not any(b"xylophone" in path.read_bytes() for path in files if path.exists())


async def test_who_leaves_leaves_nothing_waiting(house: House, mara: httpx2.AsyncClient) -> None:
    gone = await house.guest("goes", ROOM)
    await held(gone, "We like minerva, and good-bye")
    id = (await waits(mara))["id"]
    doctor_id = await house.lounge.doctors.id_of(await house.doctor("goes"))
    assert doctor_id
    leaving: Leaving = house.lounge.accounts.leaving
    await leaving.forget(doctor_id)
    assert id not in [each["id"] for each in (await mara.get("/api/waiting")).json()["waiting"]]


async def test_of_who_was_suspended_nothing_is_posted_and_nobody_learns_it(
    house: House, mara: httpx2.AsyncClient
) -> None:
    out = await house.guest("suspended-soon", ROOM)
    await held(out, "We like minerva from nobody")
    doctor_id = await house.lounge.doctors.id_of(await house.doctor("suspended-soon"))
    assert doctor_id
    await house.lounge.applications.suspend(doctor_id, "house", by="operator")
    id, _ = await claimed(mara)
    assert await close(mara, id, "released") == 204
    ben = await house.guest("ben", ROOM)
    assert (await ben.ask("search", q="nobody", room=ROOM))["hits"] == []


async def test_of_who_was_muted_since_nothing_is_posted_and_the_answer_is_the_same(
    house: House, mara: httpx2.AsyncClient
) -> None:
    out = await house.guest("muted-soon", ROOM, "me")
    said = await out.say(ROOM, "Nothing about it")
    await held(out, "We like minerva, muted")
    await house.moderate("mute", ROOM, said["seq"], minutes=60)
    id, _ = await claimed(mara)
    assert await close(mara, id, "released") == 204
    await out.hears("event", kind="notice", notice="refused", about=ROOM, name=HELD["name"])
    ben = await house.guest("ben", ROOM)
    assert (await ben.ask("search", q="muted", room=ROOM))["hits"] == []


async def test_of_one_persona_five_wait_in_a_room_and_no_more(house: House) -> None:
    many = await house.guest("writes-many", ROOM)
    cids = [new_cid() for _ in range(MOST_WAITING + 1)]
    texts = [f"We like minerva, part {n}" for n in range(MOST_WAITING + 1)]
    sent = list(zip(texts, cids, strict=True))
    for text, cid in sent[:-1]:
        await held(many, text, cid)
    refused = await many.refused("say", room=ROOM, text=texts[-1], cid=cids[-1])
    assert (refused["code"], "wait for a moderator" in refused["message"]) == ("rate_limited", True)
    await held(many, *sent[0])  # sent again it is the same
    other = await house.guest("writes-one", ROOM)
    await held(other, "We like minerva, all of us")


async def test_a_correction_does_not_wait_and_is_refused(house: House) -> None:
    ana = await house.guest("ana", ROOM)
    said = await ana.say(ROOM, "Ibuprofen")
    with pytest.raises(Refused, match="blocked"):
        await ana.ask("edit", room=ROOM, seq=said["seq"], cid=new_cid(), text="We like minerva")


async def test_nobody_reads_what_waits_where_she_speaks(
    house: House, mara: httpx2.AsyncClient, mona: httpx2.AsyncClient
) -> None:
    room = "specialty/neurology"
    ana, speaking = await house.guest("ana", room), await house.guest("mona", room)
    await speaking.say(room, "I see it otherwise.")
    with pytest.raises(Refused, match="held_rule"):
        await ana.say(room, "The brain wants minerva")
    lines = (await mona.get("/api/waiting")).json()["waiting"]
    (id,) = [each["id"] for each in lines if each["room"] == room]
    refused = await mona.post(f"/api/waiting/{id}/claim")
    assert (refused.status_code, "text" in refused.json()) == (403, False)
    assert (await mara.post(f"/api/waiting/{id}/claim")).status_code == 200
    assert await close(mara, id, "refused") == 204


async def test_who_moderates_another_room_sees_nothing_of_it(house: House) -> None:
    await house.doctor("nora", **{**CAST["moira"], "roles": ["moderator:specialty/urology"]})
    ana = await house.guest("ana", ROOM)
    await held(ana, "We like minerva for the heart only")
    async with house.lounge.database.reading() as connection:
        id = (await waiting.everything(connection, 100))[-1].id
    async with house.http(await house.token("nora")) as http:
        assert (await http.get("/api/waiting")).json()["waiting"] == []
        assert (await http.post(f"/api/waiting/{id}/claim")).status_code == 404
    async with house.http(await house.token("ana")) as http:
        assert (await http.get("/api/waiting")).status_code == 403
