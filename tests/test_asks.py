"""Ask now: whoever of a specialty is available is asked, the first to accept answers, and silence is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from lounge.limits import PAGES
from storage.identity_schema import available
from tests.backends import addresses
from tests.oncall import id_of
from tests.stores import SQLITE_FIRST
from tests.support import CAST, Guest, House, new_cid, open_house

_numbers = count(1)
TEXT = "Week-old stroke, new embolus, pressure holds: lyse or heparin?"
OTHER_SPECIALTY = "dermatology"


@pytest.fixture(scope="module", params=SQLITE_FIRST)
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("asks")
    async with addresses(request) as urls, open_house(folder, redis_url, **urls) as house:
        yield house


@pytest.fixture
async def specialty(house: House) -> str:
    """One in which nobody is available yet."""
    return sorted(house.lounge.rooms.specialties)[next(_numbers)]


async def one_of(house: House, name: str, specialty: str) -> Guest:
    """Somebody new of that specialty, who follows her own log."""
    who = f"{name}-{next(_numbers)}"
    await house.doctor(who, **{**CAST[name], "specialty": specialty})
    guest = await house.guest(who, "me")
    guest_names[guest] = who
    return guest


guest_names: dict[Guest, str] = {}


async def http(house: House, guest: Guest, method: str, path: str, **body: Any) -> Any:
    """What a route answers to her."""
    async with house.http(house.passes[guest_names[guest]]) as client:
        answer = await client.request(method, path, json=body or None)
    return answer.json() if answer.content else {}


async def available_one(house: House, name: str, specialty: str) -> Guest:
    guest = await one_of(house, name, specialty)
    assert "until" in await http(house, guest, "PUT", "/api/available", minutes=60)
    return guest


async def asks(guest: Guest, specialty: str, **other: Any) -> dict[str, Any]:
    fields = {"specialty": specialty, "text": TEXT, "cid": new_cid(), **other}
    return await guest.ask("ask_now", **fields)


async def told(guest: Guest, notice: str, room: str) -> dict[str, Any]:
    return await guest.hears("event", kind="notice", notice=notice, about=room)


async def accepts(guest: Guest, room: str, **other: Any) -> dict[str, Any]:
    return await guest.ask("page_answer", room=room, accept=True, cid=new_cid(), **other)


async def phases(guest: Guest, room: str, phase: str) -> dict[str, Any]:
    """The state of that phase, once the room has come to it."""
    event = await guest.sees(
        lambda frame: (
            frame["op"] == "event"
            and frame["room"] == room
            and frame.get("state", {}).get("phase") == phase
        )
    )
    state: dict[str, Any] = event["state"]
    return state


# -- who is asked --------------------------------------------------------------------------------


async def test_one_sentence_reaches_whoever_is_available_and_the_first_to_accept_answers(
    house: House, specialty: str
) -> None:
    chiara = await available_one(house, "chiara", specialty)
    moira = await available_one(house, "moira", specialty)
    ben = await one_of(house, "ben", OTHER_SPECIALTY)
    asked = await asks(ben, specialty)
    room = asked["room"]
    assert asked["reached"] is True
    for each in (chiara, moira):
        card = await told(each, "page", room)
        assert (card["way"], card["text"], card["urgency"]) == ("ask", TEXT, "now")
        assert card["specialty"] == specialty
        assert not {"by", "role", "service", "name", "number"} & card.keys()
    await ben.join(room)
    await phases(ben, room, "sent")
    await accepts(moira, room)
    assert (await told(chiara, "page_over", room))["phase"] == "accepted"
    assert (await chiara.refused("page_answer", room=room, accept=True, cid=new_cid()))[
        "code"
    ] == "frozen"
    await phases(ben, room, "accepted")
    await moira.join(room)
    said = await moira.say(room, "Heparin; the week-old stroke forbids lysis.")
    answer = await ben.hears("event", room=room, seq=said["seq"])
    await phases(ben, room, "answered")
    opened = ben.events[room][0]
    assert opened["kind"] == "page.open"
    assert opened["by"]["as"] == answer["by"]["as"] == "anonymous"
    assert opened["by"]["id"] != answer["by"]["id"]


async def test_nobody_else_is_asked_and_to_them_there_is_no_such_room(
    house: House, specialty: str
) -> None:
    chiara = await available_one(house, "chiara", specialty)
    elsewhere = await available_one(house, "moira", OTHER_SPECIALTY)
    off = await available_one(house, "ana", specialty)
    await http(house, off, "DELETE", "/api/available")
    asker = await available_one(house, "denis", specialty)
    room = (await asks(asker, specialty))["room"]
    await told(chiara, "page", room)
    for each in (elsewhere, off, asker):
        refused = await each.refused("page_answer", room=room, accept=True, cid=new_cid())
        assert refused["code"] == "not_found"
        assert not [frame for frame in each.events.get("me", ()) if frame["about"] == room]
    for each in (elsewhere, off, chiara):  # chiara was asked, and has not accepted
        assert (await each.refused("join", room=room))["code"] == "not_found"


async def test_whoever_switches_on_while_it_waits_is_asked_as_well_once(
    house: House, specialty: str
) -> None:
    ben = await one_of(house, "ben", OTHER_SPECIALTY)
    asked = await asks(ben, specialty)
    assert asked["reached"] is False
    await ben.join(asked["room"])
    await phases(ben, asked["room"], "sent")
    chiara = await available_one(house, "chiara", specialty)
    await told(chiara, "page", asked["room"])
    await http(house, chiara, "PUT", "/api/available", minutes=30)
    await accepts(chiara, asked["room"])
    await phases(ben, asked["room"], "accepted")
    cards = [e for e in chiara.events["me"] if e["notice"] == "page"]
    assert [each["about"] for each in cards] == [asked["room"]]


async def test_whoever_switches_on_while_a_question_is_being_put_is_asked(
    house: House, specialty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chiara = await one_of(house, "chiara", specialty)
    ben = await one_of(house, "ben", OTHER_SPECIALTY)
    budget, load = house.lounge.oncall.budget, house.lounge.oncall.budget.load

    async def meanwhile(ids: Any) -> Any:
        """Those who are available have been read, and the question is not there yet."""
        monkeypatch.undo()
        await http(house, chiara, "PUT", "/api/available", minutes=60)
        return await load(ids)

    monkeypatch.setattr(budget, "load", meanwhile)
    asked = await asks(ben, specialty)
    assert asked["reached"] is True
    await told(chiara, "page", asked["room"])


async def test_whose_time_is_over_is_not_asked(house: House, specialty: str) -> None:
    chiara = await available_one(house, "chiara", specialty)
    doctor_id = await id_of(house, guest_names[chiara])
    async with house.lounge.identity_database.writing() as connection:
        await connection.execute(
            update(available).where(available.c.doctor == doctor_id).values(until=1)
        )
    ben = await one_of(house, "ben", OTHER_SPECIALTY)
    assert (await asks(ben, specialty))["reached"] is False
    assert await http(house, chiara, "GET", "/api/available") == {}


# -- silence -------------------------------------------------------------------------------------


async def test_after_two_minutes_of_silence_the_asker_is_told_and_a_late_answer_still_counts(
    house: House, specialty: str
) -> None:
    chiara = await available_one(house, "chiara", specialty)
    ben = await one_of(house, "ben", OTHER_SPECIALTY)
    room = (await asks(ben, specialty))["room"]
    await ben.join(room)
    await told(chiara, "page", room)
    await house.come_due(room)
    assert (await told(ben, "page_unanswered", room))["way"] == "ask"
    state = await phases(ben, room, "unanswered")
    assert "accepted" not in state["stamps"]
    await accepts(chiara, room)
    await phases(ben, room, "accepted")
    await chiara.join(room)
    await ben.reaches(room, (await chiara.say(room, "Still there? Heparin."))["seq"])


async def test_eleven_minutes_later_nobody_answers_any_more(
    house: House, specialty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chiara = await available_one(house, "chiara", specialty)
    ben = await one_of(house, "ben", OTHER_SPECIALTY)
    room = (await asks(ben, specialty))["room"]
    await told(chiara, "page", room)
    await house.come_due(room)
    monkeypatch.setattr("lounge.oncall.planning.LATE_MS", 0)
    refused = await chiara.refused("page_answer", room=room, accept=True, cid=new_cid())
    assert refused["code"] == "frozen"


# -- what is declined ----------------------------------------------------------------------------


async def test_what_leads_to_a_person_is_held_and_nobody_is_asked(
    house: House, specialty: str
) -> None:
    chiara = await available_one(house, "chiara", specialty)
    ben = await one_of(house, "ben", OTHER_SPECIALTY)
    for fields, code in (
        ({"text": "Call the family on 514-555-0123."}, "held_privacy"),
        ({"text": "a" * 301}, "too_long"),
        ({"text": "  "}, "invalid"),
        ({"specialty": "astrology"}, "invalid"),
    ):
        command = {"specialty": specialty, "text": TEXT, "cid": new_cid(), **fields}
        assert (await ben.refused("ask_now", **command))["code"] == code
    assert not chiara.events.get("me")


async def test_the_same_command_asks_once(house: House, specialty: str) -> None:
    chiara = await available_one(house, "chiara", specialty)
    ben, cid = await one_of(house, "ben", OTHER_SPECIALTY), new_cid()
    first, again = [await asks(ben, specialty, cid=cid) for _ in range(2)]
    assert again == {**first, "ref": again["ref"], "duplicate": True}
    other = await asks(ben, specialty)
    await told(chiara, "page", other["room"])
    cards = [each["about"] for each in chiara.events["me"]]
    assert cards == [first["room"], other["room"]]


async def test_more_than_ten_in_a_minute_are_too_many(house: House, specialty: str) -> None:
    ben = await one_of(house, "ben", OTHER_SPECIALTY)
    ben_id = await id_of(house, guest_names[ben])
    for _ in range(PAGES.amount):
        house.lounge.limits.spend(PAGES, ben_id)
    command = {"specialty": specialty, "text": TEXT, "cid": new_cid()}
    refused = await ben.refused("ask_now", **command)
    assert refused["code"] == "rate_limited"
    assert 0 < refused["retry_after"] <= PAGES.get_expiry()


async def test_who_is_not_verified_can_neither_be_available_nor_ask(house: House) -> None:
    dan = await house.guest("dan")
    guest_names[dan] = "dan"
    answer = await http(house, dan, "PUT", "/api/available", minutes=60)
    assert answer["error"]["code"] == "forbidden"
    command = {"specialty": "neurology", "text": TEXT, "cid": new_cid()}
    assert (await dan.refused("ask_now", **command))["code"] == "forbidden"


@pytest.mark.parametrize("minutes", [14, 721, -1, "60", 15.5])
async def test_one_is_available_for_a_quarter_of_an_hour_to_twelve_hours(
    house: House, minutes: object
) -> None:
    ana = await house.guest("ana")
    guest_names[ana] = "ana"
    answer = await http(house, ana, "PUT", "/api/available", minutes=minutes)
    assert answer["error"]["code"] == "invalid"
    assert await http(house, ana, "GET", "/api/available") == {}


# -- without a socket ----------------------------------------------------------------------------


async def test_a_notification_accepts_and_marks_over_http(house: House, specialty: str) -> None:
    chiara = await available_one(house, "chiara", specialty)
    ben = await one_of(house, "ben", OTHER_SPECIALTY)
    room = (await asks(ben, specialty))["room"]
    await ben.join(room)
    await told(chiara, "page", room)
    for act, phase in (("delivered", "delivered"), ("seen", "seen"), ("accept", "accepted")):
        assert await http(house, chiara, "POST", "/api/page", room=room, act=act) == {}
        state = await phases(ben, room, phase)
        assert ("accepted" in state["stamps"]) is (phase == "accepted")
    again = await http(house, chiara, "POST", "/api/page", room=room, act="accept")
    assert again == {"duplicate": True}
    stranger = await http(house, ben, "POST", "/api/page", room=room, act="accept")
    assert stranger["error"]["code"] == "not_found"


async def test_once_all_have_declined_the_asker_is_told_without_waiting(
    house: House, specialty: str
) -> None:
    chiara = await available_one(house, "chiara", specialty)
    ben = await one_of(house, "ben", OTHER_SPECIALTY)
    room = (await asks(ben, specialty))["room"]
    await ben.join(room)
    await told(chiara, "page", room)
    body = {"room": room, "act": "decline", "reason": "busy"}
    assert await http(house, chiara, "POST", "/api/page", **body) == {}
    state = await phases(ben, room, "unanswered")
    assert "declined" not in state  # it would show how many were asked
    await told(ben, "page_unanswered", room)
    assert (await told(chiara, "page_over", room))["phase"] == "declined"


# -- widened -------------------------------------------------------------------------------------


async def test_its_asker_widens_it_into_a_consult_once_and_the_thread_says_so(
    house: House, specialty: str
) -> None:
    chiara = await available_one(house, "chiara", specialty)
    ben = await one_of(house, "ben", OTHER_SPECIALTY)
    room = (await asks(ben, specialty))["room"]
    await told(chiara, "page", room)
    case = {"question": TEXT, "specialties": ["cardiology"], "page": room}
    early = await chiara.refused("consult", **case, cid=new_cid())
    assert early["code"] == "not_found"
    await accepts(chiara, room)
    await chiara.join(room)
    assert (await chiara.refused("consult", **case, cid=new_cid()))["code"] == "forbidden"
    opened = await ben.ask("consult", **case, cid=new_cid())
    widened = await chiara.hears("event", kind="page.widened", room=room)
    assert widened["consult"] == opened["consult"]
    await chiara.join(opened["consult"])
    assert chiara.events[opened["consult"]][0]["question"] == TEXT
    again = await ben.refused("consult", **case, cid=new_cid())
    assert again["code"] == "frozen"
