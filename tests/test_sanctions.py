"""A moderator mutes an author without learning who it is; the mute finds her wherever she writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from lounge.clock import now_ms
from lounge.errors import Refusal
from lounge.sanctions import REMOVE, Sanctions, one_each
from storage import audit, sanctions
from storage.sanctions import Sanction
from storage.schema import entry
from tests.stores import START, Clock, Stores, open_stores
from tests.support import CAST, Guest, House, Refused, new_cid, open_house, until

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
async def mara(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    """A moderator who speaks nowhere; what she imposed is lifted at the end."""
    await house.doctor("mara", **CAST["moira"])
    if "mara" not in house.passes:
        house.passes["mara"] = await house.token("mara")
    async with house.http(house.passes["mara"]) as http:
        yield http
        for each in (await http.get("/api/sanctions")).json()["sanctions"]:
            assert (await http.delete(f"/api/sanctions/{each['id']}")).status_code == 204


async def ask(house: House, room: str, entry: int, /, **terms: Any) -> dict[str, Any]:
    """The sanction that a moderator's mute of whoever wrote this entry made."""
    terms = {"act": "mute", "reason": "harassment", "minutes": 60, **terms}
    await house.moderate(terms.pop("act"), room, entry, **terms)
    async with house.http(house.passes["mara"]) as http:
        found: list[dict[str, Any]] = (await http.get("/api/sanctions")).json()["sanctions"]
    return found[0]


async def wrote(house: House, name: str, room: str) -> tuple[Guest, int]:
    guest = await house.guest(name, room)
    return guest, (await guest.say(room, "Something unkind"))["seq"]


async def test_whoever_wrote_it_reads_on_and_writes_no_more(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ana, seq = await wrote(house, "ana", WORLD)
    ben = await house.guest("ben", WORLD)
    made = await ask(house, WORLD, seq)
    assert set(made) == {"id", "kind", "reason", "at", "room", "until"}
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


async def test_a_mute_holds_under_a_new_persona_of_hers_too(
    house: House, mara: httpx2.AsyncClient
) -> None:
    chiara, seq = await wrote(house, "chiara", WORLD)
    was = chiara.events[WORLD][-1]["by"]["id"] if chiara.events.get(WORLD) else None
    now = (await chiara.ask("retire", room=WORLD, cid="r" * 16))["you"][0]["id"]
    await ask(house, WORLD, seq)
    assert now != was
    refused = await chiara.refused("say", room=WORLD, cid="g" * 16, text="As somebody else")
    assert refused["code"] == "muted"


async def test_a_mute_everywhere_holds_in_rooms_she_never_was_in(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ana, seq = await wrote(house, "ana", WORLD)
    assert "room" not in await ask(house, WORLD, seq, everywhere=True)
    await ana.join("specialty/neurology")
    refused = await ana.refused("say", room="specialty/neurology", cid="c" * 16, text="Hello")
    assert refused["code"] == "muted"


async def test_she_is_told_why_and_until_when(house: House, mara: httpx2.AsyncClient) -> None:
    chiara, seq = await wrote(house, "chiara", WORLD)
    await chiara.join("me")
    made = await ask(house, WORLD, seq, note="Please be kind.")
    notice = await chiara.hears("event", kind="notice", notice="muted", target=seq)
    assert (notice["about"], notice["text"]) == (WORLD, "Please be kind.")
    assert (notice["reason"], notice["until"]) == ("harassment", made["until"])
    assert notice["code"] == made["id"]


async def test_a_warning_is_told_and_hinders_nothing(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ana, seq = await wrote(house, "ana", WORLD)
    await ana.join("me")
    cid = "w" * 16
    for _ in range(2):  # sent again, it is one warning
        await house.moderate("warn", WORLD, seq, note="This is not the place.", cid=cid)
    await house.moderate("warn", WORLD, seq, reason="advertising")
    await ana.hears("event", kind="notice", notice="warned", reason="advertising")
    warned = [each for each in ana.events["me"] if each.get("notice") == "warned"]
    assert [each.get("text") for each in warned if each["target"] == seq] == [
        "This is not the place.",
        None,
    ]
    assert (await mara.get("/api/sanctions")).json()["sanctions"] == []
    await ana.say(WORLD, "I see.")


async def test_lifting_opens_her_mouth_again(house: House, mara: httpx2.AsyncClient) -> None:
    denis, seq = await wrote(house, "denis", WORLD)
    made = await ask(house, WORLD, seq, minutes=None)
    assert "until" not in made
    assert (await denis.refused("say", room=WORLD, cid="d" * 16, text="So?"))["code"] == "muted"
    assert (await mara.delete(f"/api/sanctions/{made['id']}")).status_code == 204
    await denis.say(WORLD, "Thank you")
    assert (await mara.delete(f"/api/sanctions/{made['id']}")).status_code == 404


async def test_whoever_is_removed_is_put_out_and_reads_there_no_more(
    house: House, mara: httpx2.AsyncClient
) -> None:
    room = "specialty/urology"
    ana, seq = await wrote(house, "ana", room)
    secret = (await (await house.guest("ben", room)).say(room, "A lithotripsy tomorrow"))["seq"]
    await ask(house, room, seq, act="remove")
    assert await ana.closed() == 4012
    again = await house.guest("ana")
    refused = await again.refused("join", room=room)
    assert (refused["code"], "UTC" in refused["message"]) == ("forbidden", True)
    assert (await again.refused("history", room=room, around=secret))["code"] == "forbidden"
    assert (await again.refused("search", room=room, q="lithotripsy"))["code"] == "forbidden"
    assert (await again.ask("search", q="lithotripsy"))["hits"] == []
    async with house.http(house.passes["ana"]) as http:
        assert (await http.get(f"/api/rooms/{room}/events")).status_code == 403
    await again.join(WORLD)
    await again.say(WORLD, "Here she is welcome")


async def test_whoever_is_put_out_of_a_case_is_served_none_of_it_over_http(
    house: House, mara: httpx2.AsyncClient
) -> None:
    denis, chiara = await house.guest("denis"), await house.guest("chiara")
    asked = {"question": "Lyse or wait?", "specialties": ["cardiology"], "cid": new_cid()}
    case = (await denis.ask("consult", **asked))["consult"]
    await chiara.join(case)
    seq = (await chiara.say(case, "Whatever.", sort="warning"))["seq"]
    async with house.http(house.passes["chiara"]) as http:
        assert case in (await http.get("/api/consults")).text
        await house.moderate("remove", case, seq, minutes=60)
        assert case not in (await http.get("/api/consults")).text
        receipt = await http.get(f"/api/consults/{case.partition('/')[2]}/receipts/{seq}")
        assert (receipt.status_code, "UTC" in receipt.text) == (403, True)


async def test_removed_by_another_process_she_is_put_out_at_the_next_poll(
    house: House, mara: httpx2.AsyncClient
) -> None:
    room = "specialty/neurology"
    ben = await house.guest("ben", room)
    id = await house.lounge.doctors.id_of(await house.doctor("ben"))
    made = house.lounge.sanctions.new(
        id, None, room=room, until=now_ms() + HOUR_MS, reason="other", kind=REMOVE
    )
    async with house.lounge.database.writing() as connection:
        await sanctions.add(connection, made)
    assert await ben.closed() == 4012
    assert (await (await house.guest("ben")).refused("join", room=room))["code"] == "forbidden"


async def test_a_personas_last_hour_is_hidden_in_one_act_and_nobody_elses(
    house: House, mara: httpx2.AsyncClient
) -> None:
    room = "specialty/general-surgery"
    ana, ben = await house.guest("ana", room, "me"), await house.guest("ben", room)
    old = (await ana.say(room, "Long ago"))["seq"]
    number = await house.lounge.conversation.number(room)
    async with house.lounge.database.writing() as connection:
        its = (entry.c.room_id == number, entry.c.seq == old)
        await connection.execute(update(entry).where(*its).values(at=entry.c.at - 2 * HOUR_MS))
    own = (await ben.say(room, "Something else"))["seq"]
    bad = [(await ana.say(room, f"Buy this, {n}"))["seq"] for n in range(3)]
    cid = "n" * 16
    await house.moderate("hide_hour", room, bad[0], reason="advertising", cid=cid)
    await house.moderate("hide_hour", room, bad[0], reason="advertising", cid=cid)
    hidden = [await ben.hears("event", room=room, kind="mod.hide", target=seq) for seq in bad]
    assert {(each["by"]["role"], each["reason"]) for each in hidden} == {
        ("moderator", "advertising")
    }
    assert [each["seq"] for each in hidden] == list(range(hidden[0]["seq"], hidden[0]["seq"] + 3))
    past = (await ben.ask("history", room=room, after=0))["events"]
    assert [each["seq"] for each in past if each["kind"] == "tombstone"] == bad
    assert [each["seq"] for each in past if each["kind"] == "say"] == [old, own]
    assert (await ben.ask("search", q="buy", room=room))["hits"] == []
    notice = await ana.hears("event", kind="notice", notice="hidden", about=room)
    assert notice["target"] == bad[-1]
    with pytest.raises(Refused, match="not_found"):
        await house.moderate("hide_hour", room, hidden[0]["seq"])  # which nobody said


async def test_the_moderator_learns_nothing_from_the_answer(
    house: House, mara: httpx2.AsyncClient
) -> None:
    _, seq = await wrote(house, "ana", WORLD)
    _, of_ben = await wrote(house, "ben", WORLD)
    answers = [await ask(house, WORLD, n) for n in (seq, seq, of_ben)]
    assert all(set(each) == set(answers[0]) for each in answers)
    assert len({each["id"] for each in answers}) == 3
    doctors = [await house.lounge.doctors.id_of(email) for email in house.doctors.values()]
    listed = (await mara.get("/api/sanctions")).text
    assert not any(str(id) in listed for id in doctors)


async def test_every_process_hears_of_it_at_its_next_poll(
    house: House, mara: httpx2.AsyncClient
) -> None:
    _, seq = await wrote(house, "ana", WORLD)
    id = await house.lounge.doctors.id_of(await house.doctor("ana"))
    assert id
    other = Sanctions(house.lounge.database, house.lounge.keys)
    await ask(house, WORLD, seq)
    await other.refresh()
    assert muted(other, id, WORLD)
    house.lounge.sanctions._in_force = ()  # as if another process had made it
    house.lounge.sanctions._tested = {}
    await until(lambda: muted(house.lounge.sanctions, id, WORLD))


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"seq": 10**6}, "not_found"),
        ({"reason": None}, "invalid"),
        ({"act": "remove", "minutes": None}, "invalid"),
        ({"act": "remove", "everywhere": True}, "invalid"),
        ({"note": "Call 416-555-0199"}, "held_privacy"),
    ],
    ids=("no-entry", "no-reason", "no-end", "everywhere", "a-number"),
)
async def test_a_sanction_has_a_reason_an_end_and_an_entry_that_is_there(
    house: House, mara: httpx2.AsyncClient, terms: dict[str, Any], code: str
) -> None:
    _, seq = await wrote(house, "ben", WORLD)
    guest = await house.guest("mara")
    asked = {"act": "mute", "reason": "harassment", "minutes": 60, "seq": seq, **terms}
    asked = {name: value for name, value in asked.items() if value is not None}
    assert (await guest.refused("moderate", room=WORLD, cid="h" * 16, **asked))["code"] == code


async def test_only_moderators_sanction_see_and_lift(house: House) -> None:
    _, seq = await wrote(house, "ben", WORLD)
    ana = await house.guest("ana")
    asked = {"act": "mute", "room": WORLD, "seq": seq, "reason": "other", "cid": "i" * 16}
    assert (await ana.refused("moderate", **asked))["code"] == "forbidden"
    async with house.http(house.passes["ana"]) as http:
        assert (await http.get("/api/sanctions")).status_code == 403
        assert (await http.delete("/api/sanctions/any")).status_code == 403
    async with house.http() as nobody:
        assert (await nobody.get("/api/sanctions")).status_code == 401


async def test_a_rooms_moderator_sees_and_lifts_what_holds_there_and_mutes_nobody_everywhere(
    house: House, mara: httpx2.AsyncClient
) -> None:
    _, seq = await wrote(house, "ben", WORLD)
    _, there = await wrote(house, "ben", CARDIOLOGY)
    everywhere = await ask(house, WORLD, seq, everywhere=True)
    await house.doctor("carla", **{**CAST["moira"], "roles": [f"moderator:{CARDIOLOGY}"]})
    carla = await house.guest("carla")
    asked = {"act": "mute", "reason": "other", "seq": there, "room": CARDIOLOGY}
    refused = await carla.refused("moderate", everywhere=True, cid="j" * 16, **asked)
    assert refused["code"] == "forbidden"
    await carla.ask("moderate", minutes=5, cid="k" * 16, **asked)
    async with house.http(house.passes["carla"]) as http:
        (seen,) = (await http.get("/api/sanctions")).json()["sanctions"]
        assert seen["room"] == CARDIOLOGY
        assert (await http.delete(f"/api/sanctions/{everywhere['id']}")).status_code == 404
        assert (await http.delete(f"/api/sanctions/{seen['id']}")).status_code == 204


async def test_who_moderates_a_language_sees_and_lifts_what_she_imposed_and_nothing_else(
    house: House, mara: httpx2.AsyncClient
) -> None:
    room = "specialty/neurology"
    denis = await house.guest("denis", room)
    text = "Le patient a été vu à la consultation avec une douleur thoracique ce matin."
    seq = (await denis.say(room, text))["seq"]
    others = await ask(house, room, seq)
    await house.doctor("cleo", **{**CAST["moira"], "roles": ["moderator:language/fr"]})
    cleo = await house.guest("cleo")
    asked = {"act": "mute", "reason": "other", "seq": seq, "room": room, "minutes": 5}
    await cleo.ask("moderate", cid="l" * 16, **asked)
    async with house.http(house.passes["cleo"]) as http:
        (seen,) = (await http.get("/api/sanctions")).json()["sanctions"]
        assert (seen["room"], seen["reason"]) == (room, "other")
        assert (await http.delete(f"/api/sanctions/{others['id']}")).status_code == 404
        assert (await http.delete(f"/api/sanctions/{seen['id']}")).status_code == 204


async def test_a_specialty_sees_and_lifts_what_holds_in_the_cases_put_to_it(
    house: House, mara: httpx2.AsyncClient
) -> None:
    denis = await house.guest("denis")
    case = {"question": "Anticoagulate?", "specialties": ["cardiology"], "cid": "c" * 16}
    room = (await denis.ask("consult", **case))["consult"]
    made = await ask(house, room, 1)
    await house.doctor("carla", **{**CAST["moira"], "roles": [f"moderator:{CARDIOLOGY}"]})
    async with house.http(await house.token("carla")) as http:
        seen = (await http.get("/api/sanctions")).json()["sanctions"]
        assert made["id"] in [each["id"] for each in seen]
        assert (await http.delete(f"/api/sanctions/{made['id']}")).status_code == 204


async def test_nobody_lifts_what_holds_where_she_speaks(
    house: House, mara: httpx2.AsyncClient
) -> None:
    room = "specialty/general-surgery"
    _, seq = await wrote(house, "ben", room)
    made = await ask(house, room, seq)
    await house.doctor("mona", **CAST["moira"])
    await (await house.guest("mona", room)).say(room, "I know him.")
    async with house.http(house.passes["mona"]) as http:
        refused = await http.delete(f"/api/sanctions/{made['id']}")
        assert (refused.status_code, "yourself" in refused.text) == (403, True)
    await (await house.guest("mara", room)).say(room, "So do I.")
    assert (await mara.delete(f"/api/sanctions/{made['id']}")).status_code == 204, "her own act"


async def test_nobody_lifts_what_was_imposed_on_herself(
    house: House, mara: httpx2.AsyncClient
) -> None:
    await house.doctor("maud", **CAST["moira"])
    _, seq = await wrote(house, "maud", WORLD)
    made = await ask(house, WORLD, seq)
    async with house.http(house.passes["maud"]) as http:
        assert (await http.delete(f"/api/sanctions/{made['id']}")).status_code == 403


async def test_what_moderators_do_is_in_the_audit(house: House, mara: httpx2.AsyncClient) -> None:
    _, seq = await wrote(house, "ben", WORLD)
    async with house.lounge.database.reading() as connection:
        before = (await audit.head(connection, "lounge")).seq
    made = await ask(house, WORLD, seq)
    await mara.delete(f"/api/sanctions/{made['id']}")
    await house.moderate("warn", WORLD, seq)
    async with house.lounge.database.reading() as connection:
        assert (await audit.head(connection, "lounge")).seq == before + 4  # one read of the list
        assert await audit.verify(connection, "lounge") is None
