"""A moderator mutes an author without learning who it is; the mute finds her wherever she writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lounge.errors import Refusal
from lounge.sanctions import Sanctions, one_each
from storage import audit, sanctions
from storage.sanctions import Sanction
from tests.stores import START, Clock, Stores, open_stores
from tests.support import Guest, House, open_house, until

HOUR_MS = 3_600_000
WORLD, CARDIOLOGY = "world", "specialty/cardiology"
LICENCE = b"a keyed hash of a licence"


def of(stores: Stores, clock: Clock | None = None) -> Sanctions:
    return Sanctions(stores.lounge, stores.keys, clock=clock or Clock())


async def mute(stores: Stores, doctor_id: str | None, **terms: Any) -> Sanction:
    terms = {"room": None, "until": START + HOUR_MS, "reason": "harassment", **terms}
    made = of(stores).new(doctor_id, terms.pop("licence", None), **terms)
    async with stores.lounge.writing() as connection:
        await sanctions.add(connection, made)
    return made


async def known(stores: Stores) -> tuple[Sanction, ...]:
    async with stores.lounge.reading() as connection:
        return await sanctions.in_force(connection, START)


def muted(sanctions_: Sanctions, doctor_id: str, room: str) -> bool:
    try:
        sanctions_.may_speak(doctor_id, room)
    except Refusal as refusal:
        return refusal.code == "muted"
    return False


@pytest.fixture(scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stores]:
    """On SQLite only: nothing here differs between the databases."""
    async with open_stores(tmp_path_factory.mktemp("stores")) as stores:
        yield stores


# -- in memory -----------------------------------------------------------------------------------


async def test_a_mute_is_hers_alone_and_in_its_room(stores: Stores) -> None:
    await mute(stores, "ana", room=WORLD)
    standing = of(stores)
    assert not muted(standing, "ana", WORLD)  # not read yet
    await standing.refresh()
    assert muted(standing, "ana", WORLD)
    assert not muted(standing, "ana", CARDIOLOGY)
    assert not muted(standing, "ben", WORLD)


async def test_a_mute_without_a_room_holds_in_every_room(stores: Stores) -> None:
    await mute(stores, "ana")
    standing = of(stores)
    await standing.refresh()
    assert all(muted(standing, "ana", room) for room in (WORLD, CARDIOLOGY, "talk/abc"))


async def test_a_mute_ends_by_itself_and_says_when(stores: Stores) -> None:
    await mute(stores, "ana")
    clock = Clock()
    standing = of(stores, clock)
    await standing.refresh()
    with pytest.raises(Refusal) as refusal:
        standing.may_speak("ana", WORLD)
    assert refusal.value.retry_after == 3600
    assert refusal.value.values == {"until": "2027-01-15 09:00 UTC"}
    clock.now += HOUR_MS
    assert not muted(standing, "ana", WORLD)


async def test_of_two_mutes_the_longer_one_counts(stores: Stores) -> None:
    await mute(stores, "ana", until=START + 2 * HOUR_MS)
    await mute(stores, "ana", until=START + HOUR_MS, room=WORLD)
    standing = of(stores)
    await standing.refresh()
    with pytest.raises(Refusal) as refusal:
        standing.may_speak("ana", WORLD)
    assert refusal.value.retry_after == 7200
    await mute(stores, "ana", until=None)
    await standing.refresh()
    with pytest.raises(Refusal) as refusal:
        standing.may_speak("ana", WORLD)
    assert (refusal.value.key, refusal.value.retry_after) == ("refusal.muted", None)


async def test_a_mute_that_is_lifted_is_gone_at_the_next_look(stores: Stores) -> None:
    made = await mute(stores, "ana")
    standing = of(stores)
    await standing.refresh()
    async with stores.lounge.writing() as connection:
        assert await sanctions.lift(connection, made.id) == made
        assert await sanctions.lift(connection, made.id) is None
    await standing.refresh()
    assert not muted(standing, "ana", WORLD)


async def test_two_sanctions_of_one_doctor_share_no_value_that_tells_it(stores: Stores) -> None:
    one = await mute(stores, "ana", licence=LICENCE)
    other = await mute(stores, "ana", licence=LICENCE, until=None, reason="other")
    nobodys = await mute(stores, None)
    assert not set(astuple(one)) & set(astuple(other)) - {"mute", None, one.at}
    assert len(nobodys.mark) == len(one.mark)
    assert len(nobodys.licence) == len(one.licence)


async def test_leaving_and_coming_back_on_one_licence_is_no_way_out(stores: Stores) -> None:
    await mute(stores, "ana", licence=LICENCE, room=WORLD)
    again = of(stores)
    await again.inherit("ana come back", LICENCE)
    assert muted(again, "ana come back", WORLD)
    assert not muted(again, "ana come back", CARDIOLOGY)
    await again.inherit("ana come back", LICENCE)
    assert len(await known(stores)) == 2
    await again.inherit("ben", b"another licence")
    assert not muted(again, "ben", WORLD)


async def test_no_moderator_sees_that_somebody_came_back_and_a_lift_lifts_it_all(
    stores: Stores,
) -> None:
    made = await mute(stores, "ana", licence=LICENCE)
    again = of(stores)
    await again.inherit("ana come back", LICENCE)
    found = await known(stores)
    assert len(found) == 2
    assert {each.at for each in found} == {made.at}
    assert len(one_each(found)) == 1
    async with stores.lounge.writing() as connection:
        await sanctions.lift(connection, made.id)
    await again.refresh()
    assert not muted(again, "ana come back", WORLD)


# -- in a room -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    async with open_house(folder, redis_url, bench=True) as house:
        yield house


@pytest.fixture
async def moira(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    if "moira" not in house.passes:
        house.passes["moira"] = await house.token("moira")
    async with house.http(house.passes["moira"]) as http:
        yield http
        for each in (await http.get("/api/sanctions")).json()["sanctions"]:
            assert (await http.delete(f"/api/sanctions/{each['id']}")).status_code == 204


async def ask(http: httpx2.AsyncClient, room: str, entry: int, /, **terms: Any) -> httpx2.Response:
    body = {"seq": entry, "kind": "mute", "reason": "harassment", "minutes": 60, **terms}
    return await http.post(f"/api/rooms/{room}/sanctions", json=body)


async def wrote(house: House, name: str, room: str) -> tuple[Guest, int]:
    guest = await house.guest(name, room)
    return guest, (await guest.say(room, "Something unkind"))["seq"]


async def test_whoever_wrote_it_reads_on_and_writes_no_more(
    house: House, moira: httpx2.AsyncClient
) -> None:
    ana, seq = await wrote(house, "ana", WORLD)
    ben = await house.guest("ben", WORLD)
    made = await ask(moira, WORLD, seq)
    assert made.status_code == 201
    assert set(made.json()) == {"id", "kind", "reason", "at", "room", "until"}
    refused = await ana.refused("say", room=WORLD, cid="a" * 16, text="And more")
    assert refused["code"] == "muted"
    assert "UTC" in refused["message"]
    assert 3500 < refused["retry_after"] <= 3600
    assert (await ana.refused("edit", room=WORLD, seq=seq, cid="b" * 16, text="x"))["code"] == (
        "muted"
    )
    said = await ben.say(WORLD, "Everybody else goes on")
    emoji = {"seq": said["seq"], "emoji": "👎", "on": True}
    assert (await ana.refused("react", room=WORLD, cid="f" * 16, **emoji))["code"] == "muted"
    await ana.reaches(WORLD, said["seq"])
    await ana.ask("join", room=CARDIOLOGY)
    await ana.say(CARDIOLOGY, "And elsewhere she does, too")


async def test_a_mute_everywhere_holds_in_rooms_she_never_was_in(
    house: House, moira: httpx2.AsyncClient
) -> None:
    ana, seq = await wrote(house, "ana", WORLD)
    assert "room" not in (await ask(moira, WORLD, seq, everywhere=True)).json()
    await ana.join("specialty/neurology")
    refused = await ana.refused("say", room="specialty/neurology", cid="c" * 16, text="Hello")
    assert refused["code"] == "muted"


async def test_she_is_told_why_and_until_when(house: House, moira: httpx2.AsyncClient) -> None:
    chiara, seq = await wrote(house, "chiara", WORLD)
    await chiara.join("me")
    made = (await ask(moira, WORLD, seq)).json()
    notice = await chiara.hears("event", kind="notice", notice="muted")
    assert (notice["about"], notice["target"]) == (WORLD, seq)
    assert (notice["reason"], notice["until"]) == ("harassment", made["until"])


async def test_lifting_opens_her_mouth_again(house: House, moira: httpx2.AsyncClient) -> None:
    denis, seq = await wrote(house, "denis", WORLD)
    made = (await ask(moira, WORLD, seq, minutes=None)).json()
    assert "until" not in made
    assert (await denis.refused("say", room=WORLD, cid="d" * 16, text="So?"))["code"] == "muted"
    assert (await moira.delete(f"/api/sanctions/{made['id']}")).status_code == 204
    await denis.say(WORLD, "Thank you")
    assert (await moira.delete(f"/api/sanctions/{made['id']}")).status_code == 404


async def test_the_moderator_learns_nothing_from_the_answer(
    house: House, moira: httpx2.AsyncClient
) -> None:
    _, seq = await wrote(house, "ana", WORLD)
    _, of_ben = await wrote(house, "ben", WORLD)
    answers = [await ask(moira, WORLD, n) for n in (seq, seq, of_ben)]
    assert {answer.status_code for answer in answers} == {201}
    told = [set(answer.json()) for answer in answers]
    assert all(keys == told[0] for keys in told)
    assert len({answer.json()["id"] for answer in answers}) == 3
    doctors = [await house.lounge.doctors.id_of(email) for email in house.doctors.values()]
    listed = (await moira.get("/api/sanctions")).text
    assert not any(str(id) in listed for id in doctors)


async def test_every_process_hears_of_it_at_its_next_poll(
    house: House, moira: httpx2.AsyncClient
) -> None:
    _, seq = await wrote(house, "ana", WORLD)
    id = await house.lounge.doctors.id_of(await house.doctor("ana"))
    assert id
    other = Sanctions(house.lounge.database, house.lounge.keys)
    await ask(moira, WORLD, seq)
    await other.refresh()
    assert muted(other, id, WORLD)
    house.lounge.sanctions._in_force = ()  # as if another process had made it
    house.lounge.sanctions._tested = {}
    await until(lambda: muted(house.lounge.sanctions, id, WORLD))


@pytest.mark.parametrize(
    ("terms", "status"),
    [
        ({"minutes": 0}, 400),
        ({"minutes": 10**7}, 400),
        ({"kind": "ban"}, 400),
        ({"reason": "because"}, 400),
        ({"seq": 10**6}, 404),
    ],
)
async def test_a_sanction_is_of_a_known_kind_and_of_an_entry_that_is_there(
    house: House, moira: httpx2.AsyncClient, terms: dict[str, Any], status: int
) -> None:
    _, seq = await wrote(house, "ben", WORLD)
    assert (await ask(moira, WORLD, seq, **terms)).status_code == status


async def test_only_moderators_sanction_see_and_lift(house: House) -> None:
    _, seq = await wrote(house, "ben", WORLD)
    async with house.http(await house.token("ana")) as ana:
        assert (await ask(ana, WORLD, seq)).status_code == 403
        assert (await ana.get("/api/sanctions")).status_code == 403
        assert (await ana.delete("/api/sanctions/any")).status_code == 403
    async with house.http() as nobody:
        assert (await ask(nobody, WORLD, seq)).status_code == 401


async def test_what_moderators_do_is_in_the_audit(house: House, moira: httpx2.AsyncClient) -> None:
    _, seq = await wrote(house, "ben", WORLD)
    async with house.lounge.database.reading() as connection:
        before = (await audit.head(connection, "lounge")).seq
    made = (await ask(moira, WORLD, seq)).json()
    await moira.delete(f"/api/sanctions/{made['id']}")
    hidden = await house.guest("moira", WORLD)
    await hidden.ask("redact", room=WORLD, seq=seq, cid="e" * 16, reason="harassment")
    async with house.lounge.database.reading() as connection:
        assert (await audit.head(connection, "lounge")).seq == before + 3
        assert await audit.verify(connection, "lounge") is None
