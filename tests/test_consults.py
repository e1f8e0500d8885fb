"""Cases: put once, announced where they are asked, open to every verified doctor, counted from the log."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from lounge import consults, first_opinions, looking
from lounge.consults import state
from lounge.limits import CONSULTS
from storage import consults as rows
from storage import due, entries
from storage.acts import Act, Elsewhere, Missed, Outcome
from storage.consults import Consult, Timed
from storage.schema import consult as consult_table
from storage.schema import look, persona
from tests.acts import act, draft, new_room, settled, writing
from tests.stores import Stores
from tests.support import CAST, Guest, House, new_cid, open_house

_numbers = count(1)
QUESTION = "Would you lyse a 60 year old with a week-old stroke and a new embolus?"
CASE: dict[str, Any] = {
    "question": QUESTION,
    "decision": "Thrombolysis tonight, or heparin alone.",
    "age": "60-79",
    "sex": "male",
    "presentation": "Sudden breathlessness, syncope once.",
    "findings": "Right ventricle dilated, troponin raised, pressure 105 over 60.",
    "tried": "Oxygen, heparin.",
    "urgency": "today",
    "specialties": ["cardiology", "neurology"],
}


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("consults")
    async with open_house(folder, redis_url) as house:
        yield house


def new(name: str) -> str:
    """Another doctor of that kind: nobody may put more than ten cases or connect too often."""
    return f"{name}-{next(_numbers)}"


async def put(guest: Guest, **other: Any) -> str:
    """The room of a new case."""
    room: str = (await guest.ask("consult", **{**CASE, "cid": new_cid(), **other}))["consult"]
    return room


async def opening_of(guest: Guest, room: str) -> dict[str, Any]:
    """The case as its room has it."""
    return (await guest.ask("history", room=room, after=0))["events"][0]  # type: ignore[no-any-return]


async def card_of(guest: Guest, room: str, case: str) -> dict[str, Any]:
    return await guest.hears("event", room=room, kind="consult.card", consult=case)


async def moves(house: House, room: str, **now: Any) -> None:
    """It comes to stand so, as by whoever counts."""
    lounge = house.lounge
    was = await lounge.consults.find(room)
    assert was is not None
    told = state(was, **now)
    step = (
        rows.counting(was, now["opinions"]) if "opinions" in now else rows.moving(was, now["phase"])
    )
    elsewhere = await lounge.consults.updates(was, told)
    assert await lounge.house_acts.do(was.room_id, [consults.update(told)], [step], elsewhere)


# -- putting one ---------------------------------------------------------------------------------


async def test_a_case_is_announced_live_wherever_it_is_asked_by_who_its_author_is_in_it(
    house: House,
) -> None:
    ana = await house.guest(new("ana"), "specialty/cardiology", "specialty/neurology")
    ben = await house.guest(
        "ben", "specialty/cardiology", "specialty/neurology", "specialty/urology"
    )
    case = await put(ana)
    cards = [await card_of(ben, f"specialty/{each}", case) for each in CASE["specialties"]]
    joined = await ana.join(case)
    author = joined["you"][0]
    assert [card["by"] for card in cards] == [author, author]
    for room in ("specialty/cardiology", "specialty/neurology"):
        there = next(f for f in ana.frames if f.get("you") and f["op"] == "ok")["you"][0]["id"]
        assert author["id"] != there, room
    assert {card["question"] for card in cards} == {QUESTION}
    assert not any(key in card for card in cards for key in ("findings", "decision", "tried"))
    assert cards[0]["state"] == {"phase": "open", "opinions": 0}
    assert "specialty/urology" not in ben.events


async def test_its_room_begins_with_all_that_was_filled_in(house: House) -> None:
    ana, denis = await house.guest(new("ana")), await house.guest("denis")
    case = await put(ana)
    joined = await denis.join(case)
    opened = denis.events[case][0]
    assert (joined["head"], opened["seq"], opened["kind"]) == (1, 1, "consult.open")
    assert {name: opened[name] for name in CASE} == CASE
    assert opened["enough"] == 9
    assert (at(opened["closes"]) - at(opened["at"])) / 60 == pytest.approx(240, abs=0.1)
    own = house.lounge.consults.room(case)
    assert own is not None
    assert own.title.en == own.title.fr == QUESTION


def test_a_long_question_makes_a_title_of_eighty_characters() -> None:
    made = consults.title("why\n" * 100)
    assert (len(made.en), made.en[:8], made.en[-1]) == (80, "why why ", "…")
    assert consults.title(None).fr == "Avis demandé"


async def test_only_the_question_and_a_specialty_are_needed(house: House) -> None:
    ana = await house.guest(new("ana"))
    asked = {"question": "Wait?", "specialties": ["urology"], "cid": new_cid()}
    case = (await ana.ask("consult", **asked))["consult"]
    opened = await opening_of(ana, case)
    assert opened["urgency"] == "routine"
    assert {"decision", "age", "sex", "findings", "presentation", "tried"} & set(opened) == set()
    assert round((at(opened["closes"]) - at(opened["at"])) / 60) == 24 * 60


async def test_the_same_command_again_is_the_same_case(house: House) -> None:
    name = new("ana")
    ana, other_tab = await house.guest(name, "specialty/urology"), await house.guest(name)
    asked = {**CASE, "specialties": ["urology"], "cid": new_cid()}
    first = await ana.ask("consult", **asked)
    again = await other_tab.ask("consult", **asked)
    assert again["consult"] == first["consult"]
    assert ("duplicate" in first, again["duplicate"]) == (False, True)
    changed = await ana.refused("consult", **{**asked, "urgency": "now"})
    assert changed["code"] == "cid_conflict"
    await card_of(ana, "specialty/urology", first["consult"])
    cards = [e for e in ana.events["specialty/urology"] if e.get("consult") == first["consult"]]
    assert len(cards) == 1


async def test_the_country_has_a_card_only_where_the_badge_tells_the_country(house: House) -> None:
    ana = await house.guest(new("ana"), "country/ca", "specialty/cardiology")
    plain = await put(ana, exact=True)
    card = await card_of(ana, "country/ca", plain)
    assert card["by"]["badge"]["country"] == "CA"
    hidden = await put(ana)  # nobody shares her badge: it is not shown
    card = await card_of(ana, "specialty/cardiology", hidden)
    assert "country" not in card["by"]["badge"]
    async with house.lounge.database.reading() as connection:
        places = {each.room_id for each in await rows.cards(connection, hidden)}
    asked = [await house.lounge.conversation.number(f"specialty/{s}") for s in CASE["specialties"]]
    assert places == set(asked)
    await house.moderate("freeze", "country/ca", 1)
    frozen = await put(ana, exact=True)
    await house.moderate("freeze", "country/ca", 1, on=False)
    async with house.lounge.database.reading() as connection:
        assert {each.room_id for each in await rows.cards(connection, frozen)} == set(asked)


async def test_the_face_chosen_for_a_case_is_worn_in_its_room(house: House) -> None:
    email = house.doctors["zora"] = "zora.of.the.cases@clinic.test"
    await house.lounge.doctors.add(email=email, name="Zora Quill", verified=True, **CAST["ana"])
    zora = await house.guest("zora")
    refused = await zora.refused("consult", **CASE, cid=new_cid(), **{"as": "screen"})
    assert refused["code"] == "forbidden"  # she has no screen name
    case = await put(zora, **{"as": "named"})
    opened = await opening_of(zora, case)
    assert (opened["by"]["as"], opened["by"]["name"]) == ("named", "Zora Quill")
    joined = await zora.join(case)
    assert joined["face"] == "named"
    assert opened["by"]["id"] in [each["id"] for each in joined["you"]]


@pytest.mark.parametrize(
    ("other", "code", "field"),
    [
        ({"question": "  "}, "invalid", "question"),
        ({"question": "x" * 301}, "too_long", "question"),
        ({"findings": "x" * 2001}, "too_long", "findings"),
        ({"findings": "Call her at jane@example.org"}, "held_privacy", "findings"),
        ({"tried": "MRN: 123456"}, "held_privacy", "tried"),
        ({"specialties": ["astrology"]}, "invalid", "specialties"),
        ({"specialties": ["cardiology", "cardiology"]}, "invalid", "specialties"),
        ({"decision": "a\0b"}, "invalid", "decision"),
        ({"specialties": ["a\0b"]}, "invalid", "specialties"),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_name_and_nothing_of_it_is_there(
    house: House, other: dict[str, Any], code: str, field: str
) -> None:
    ana = await house.guest(new("ana"))
    before = await how_many(house)
    refused = await ana.refused("consult", **{**CASE, **other}, cid=new_cid())
    assert (refused["code"], refused["field"]) == (code, field)
    assert ("spans" in refused) == (code == "held_privacy")
    assert await how_many(house) == before


@pytest.mark.parametrize(
    "other",
    [{"specialties": []}, {"closes_in": 4}, {"enough": 2}, {"age": "63"}, {"urgency": "x"}],
    ids=str,
)
async def test_the_wire_refuses_what_is_no_case(house: House, other: dict[str, Any]) -> None:
    ana = await house.guest("ana-of-the-wire")
    await ana.socket.send(
        json.dumps({"op": "consult", "ref": "no case", **CASE, "cid": new_cid(), **other})
    )
    answer = await ana.sees(lambda frame: frame.get("ref") == "no case")
    assert answer["code"] == "invalid"


async def test_whoever_is_not_verified_neither_puts_a_case_nor_reads_one(house: House) -> None:
    ana, dan = await house.guest(new("ana")), await house.guest("dan")
    case = await put(ana)
    for op, fields in (
        ("consult", {**CASE, "cid": new_cid()}),
        ("join", {"room": case}),
        ("history", {"room": case, "after": 0}),
    ):
        assert (await dan.refused(op, **fields))["code"] == "forbidden"
    async with house.http(house.passes["dan"]) as http:
        assert (await http.get("/api/consults")).status_code == 403
        assert (await http.get("/api/consults/figures")).status_code == 403


async def test_a_case_that_there_is_not_is_not_found(house: House) -> None:
    ana = await house.guest(new("ana"))
    for op in ("join", "history"):
        fields = {"after": 0} if op == "history" else {}
        assert (await ana.refused(op, room=f"consult/{'A' * 22}", **fields))["code"] == "not_found"


async def test_ten_an_hour_and_no_more(house: House) -> None:
    zealous = await house.guest("zealous")
    doctor_id = await house.lounge.doctors.id_of(house.doctors["zealous"])
    assert doctor_id
    for _ in range(9):
        house.lounge.limits.spend(CONSULTS, doctor_id)
    await put(zealous)
    assert (await zealous.refused("consult", **CASE, cid=new_cid()))["code"] == "rate_limited"


# -- in its room ---------------------------------------------------------------------------------


async def test_a_consult_is_a_room_like_any_other_with_personas_of_its_own(house: House) -> None:
    ana, ben = await house.guest(new("ana"), "world"), await house.guest("ben")
    case = await put(ana)
    await ana.join(case)
    await ben.join(case)
    said = await ana.say(case, "Echo is being repeated now.")
    heard = await ben.hears("event", room=case, seq=said["seq"])
    assert heard["by"]["id"] == (await opening_of(ben, case))["by"]["id"]
    found = await ben.ask("search", q="echo repeated", room=case)
    assert [hit["seq"] for hit in found["hits"]] == [said["seq"]]
    found = await ben.ask("search", q="ventricle dilated", room=case)
    assert [hit["seq"] for hit in found["hits"]] == [1]
    async with house.http(house.passes["ben"]) as http:
        events = (await http.get(f"/api/rooms/{case}/events?after=0")).json()["events"]
        page = await http.get(f"/api/rooms/{case}/personas/{heard['by']['id']}")
        listed = (await http.get("/api/rooms")).json()["rooms"]
        assert (await http.put(f"/api/rooms/{case}/pin", json={"pinned": True})).is_success
    assert [each["seq"] for each in events] == [1, said["seq"]]
    assert page.json()["own"] is False
    own = {each["id"]: each for each in listed if each["kind"] == "consult"}
    assert list(own) == [case]  # those that one has been in; the board leads to the others
    assert own[case]["title"]["en"] == QUESTION


async def test_the_author_of_a_case_and_who_answers_may_talk_and_tell_their_names(
    house: House,
) -> None:
    ana, ben = await house.guest(new("ana"), "me"), await house.guest(new("ben"), "me")
    case = await put(ana)
    await ana.join(case)
    await ben.join(case)
    assert (await ben.refused("reveal", room=case, seq=1, cid=new_cid()))["code"] == "forbidden"
    asked = await ben.say(case, "Any bleeding?", sort="question")
    await ben.ask("reveal", room=case, seq=1, cid=new_cid())
    offered = await ana.hears("event", room="me", notice="reveal_offered", about=case)
    assert offered["target"] == asked["seq"]
    talk = (await ben.ask("talk", room=case, seq=1, cid=new_cid()))["talk"]
    await ana.hears("event", room="me", notice="talk_asked", talk=talk)
    await ana.ask("talk_answer", talk=talk, accept=True, cid=new_cid())
    joined = await ben.join(talk)
    assert joined["talk"]["origin"] == case
    assert joined["talk"]["other"]["id"] == (await opening_of(ben, case))["by"]["id"]
    other = await house.guest("chiara", case)
    aside = await other.say(case, "Which anticoagulant?", sort="question")
    await ana.ask("reveal", room=case, seq=aside["seq"], cid=new_cid())  # her case is in its thread


async def test_it_is_among_her_own_rooms_from_the_next_connection_on(house: House) -> None:
    ana = await house.guest("ana-who-returns")
    case = await put(ana, question="Which of the two,\nand why?")
    own = {room["id"]: room for room in (await house.guest("ana-who-returns")).welcome["rooms"]}
    assert own[case]["kind"] == "consult"
    assert own[case]["title"]["en"] == "Which of the two, and why?"


# -- how it stands -------------------------------------------------------------------------------


async def test_its_cards_tell_live_and_later_how_it_stands_with_the_same_bytes_for_all(
    house: House,
) -> None:
    ana = await house.guest(new("ana"), "specialty/cardiology")
    case = await put(ana)
    await ana.join(case)
    card = await card_of(ana, "specialty/cardiology", case)
    await moves(house, case, opinions=1)
    told = {"phase": "open", "opinions": 1}
    live = await ana.hears(
        "event", room="specialty/cardiology", kind="consult.update", target=card["seq"]
    )
    assert live["state"] == told
    own = await ana.hears("event", room=case, kind="consult.update", target=1)
    assert own["state"] == told
    await moves(house, case, phase="revealed")
    later = await house.guest("ben", "specialty/cardiology", case)
    seen = await card_of(later, "specialty/cardiology", case)
    assert seen["state"] == {"phase": "revealed", "opinions": 1}
    updates = [
        each for each in later.events["specialty/cardiology"] if each.get("target") == card["seq"]
    ]
    assert [each["state"]["phase"] for each in updates] == ["open", "revealed"]
    assert seen["as_of"] >= updates[-1]["seq"]
    assert later.events[case][0]["state"] == seen["state"]
    page = await opening_of(ana, case)
    assert page["state"] == seen["state"]
    another = await house.guest("chiara", case)
    assert another.events[case] == later.events[case]


# -- looking -------------------------------------------------------------------------------------


async def board(house: House, name: str, **query: str) -> list[dict[str, Any]]:
    if name not in house.passes:
        house.passes[name] = await house.token(name)
    async with house.http(house.passes[name]) as http:
        answer = await http.get("/api/consults", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["consults"]  # type: ignore[no-any-return]


async def line_of(house: House, case: str, name: str = "ana") -> dict[str, Any]:
    return next(each for each in await board(house, name) if each["id"] == case)


async def test_a_look_is_counted_once_a_doctor_until_it_lapses_or_is_taken_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await house.guest(new("ana"))
    case = await put(ana)
    lookers = [await house.guest(name, case) for name in ("ben", "ben", "chiara")]
    for guest in lookers:
        await guest.ask("looking", room=case, on=True)
    await ana.join(case)
    await ana.ask("looking", room=case, on=True)  # her own case
    assert (await line_of(house, case))["looking"] == 2
    await lookers[2].ask("looking", room=case, on=False)
    assert (await line_of(house, case))["looking"] == 1
    monkeypatch.setattr(looking, "LOOK_MS", -1)
    await lookers[0].ask("looking", room=case, on=True)
    assert (await line_of(house, case))["looking"] == 0
    async with house.lounge.database.reading() as connection:
        kept = (await connection.execute(select(look).where(look.c.consult == case))).all()
        personas = set((await connection.execute(select(persona.c.id))).scalars())
    assert not {row.key for row in kept} & personas


async def test_one_looks_at_consults_only(house: House) -> None:
    ana = await house.guest(new("ana"), "world")
    assert (await ana.refused("looking", room="world", on=True))["code"] == "invalid"


# -- the board -----------------------------------------------------------------------------------


async def test_a_case_that_a_moderator_hides_is_gone_wherever_it_was_announced(
    house: House,
) -> None:
    rooms = [f"specialty/{each}" for each in CASE["specialties"]]
    ana, moira = await house.guest(new("ana"), "me"), await house.guest("moira", *rooms)
    case = await put(ana, findings="A quokka in the waiting room.")
    card = await card_of(moira, rooms[0], case)
    (found,) = (await ana.ask("search", q="quokka"))["hits"]
    assert (found["room"], found["seq"]) == (case, 1)
    hiding = {"room": rooms[0], "seq": card["seq"], "cid": new_cid()}
    assert (await moira.refused("redact", **hiding))["code"] == "invalid"  # no reason
    await moira.ask("redact", **hiding, reason="Too much of a person.")
    for room in rooms:
        page = (await ana.ask("history", room=room, before=10_000))["events"]
        assert case not in [each.get("consult") for each in page]
        assert page[-1]["kind"] == "redact"
    assert (await opening_of(ana, case))["kind"] == "tombstone"
    assert "question" not in await line_of(house, case)
    assert not (await ana.ask("search", q="quokka"))["hits"]
    notice = await ana.hears("event", room="me", notice="hidden", about=rooms[0])
    assert notice["target"] == card["seq"]
    await ana.join(case)
    await ana.say(case, "I will put it anew.")  # its room goes on


async def test_whoever_is_muted_in_the_room_of_a_specialty_asks_it_nothing(house: House) -> None:
    ana = await house.guest(new("ana"), "specialty/urology")
    said = await ana.say("specialty/urology", "Advertising.")
    await house.moderate("mute", "specialty/urology", said["seq"], minutes=60)
    asked = {"question": "Buy?", "cid": new_cid()}
    refused = await ana.refused("consult", specialties=["cardiology", "urology"], **asked)
    assert refused["code"] == "muted"
    await put(ana, specialties=["cardiology"])


async def test_those_without_an_opinion_rise_by_urgency_and_then_by_waiting(house: House) -> None:
    ben = await house.guest("ben-of-the-board")
    asked = [("routine", 0), ("now", 1), ("now", 0), ("today", 0), ("now", 0)]
    ids = [
        await put(ben, urgency=urgency, specialties=["dermatology"], question=f"{n}?")
        for n, (urgency, _) in enumerate(asked)
    ]
    for id, (_, opinions) in zip(ids, asked, strict=True):
        if opinions:
            await moves(house, id, opinions=opinions)
    lines = await board(house, "chiara", specialty="dermatology")
    assert [each["question"] for each in lines] == ["2?", "4?", "3?", "0?", "1?"]
    assert [
        each["urgency"]
        for each in await board(house, "chiara", urgency="today", specialty="dermatology")
    ] == ["today"]
    assert {each["mine"] for each in lines} == {False}
    top = await board(house, "chiara", specialty="dermatology", limit="2")
    assert [each["question"] for each in top] == ["2?", "4?"]
    mine = await board(house, "ben-of-the-board", mine="1")
    assert {each["id"] for each in mine} == set(ids)
    await moves(house, ids[0], phase="revealed")
    assert [
        each["id"]
        for each in await board(house, "chiara", phase="revealed", specialty="dermatology")
    ] == [ids[0]]
    assert ids[0] not in [each["id"] for each in await board(house, "chiara", phase="open")]


async def test_a_board_has_no_other_filters(house: House) -> None:
    async with house.http(await house.token("ana")) as http:
        wrong = ({"limit": "0"}, {"limit": "201"}, {"limit": "a few"})
        for query in ({"phase": "x"}, {"urgency": "soon"}, {"specialty": "astrology"}, *wrong):
            answer = await http.get("/api/consults", params=query)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")


async def test_the_figures_are_those_of_the_log(house: House) -> None:
    denis = await house.guest("denis")
    for n in range(3):
        case = await put(denis, question=f"How soon, {n}?")
        await moves(house, case, opinions=1)
        await moves(house, case, opinions=2)  # only the first counts
    waits = await waits_by_hand(house)
    async with house.http(house.passes["denis"]) as http:
        figures = (await http.get("/api/consults/figures")).json()
        usual = (await http.get("/api/consults")).json()["usual"]
    assert figures["n"] == len(waits) >= 3
    assert figures["median_s"] == pytest.approx(middle(waits), abs=0.001)
    assert figures["p90_s"] == waits[-(-len(waits) * 9 // 10) - 1]
    assert sum(each["n"] for each in figures["by_hour"]) == len(waits)
    assert sum(each["n"] for each in figures["by_day"]) == len(waits)
    assert figures["unanswered"] == await how_many(house) - len(waits)
    assert (usual["n"], usual["p90_s"]) == (figures["n"], figures["p90_s"])


async def waits_by_hand(house: House) -> list[float]:
    """Seconds from each case's entry to the first that told of an opinion, read from the rooms."""
    waits = []
    async with house.lounge.database.reading() as connection:
        slugs = (await connection.execute(select(consult_table.c.slug))).scalars().all()
        for head in await entries.heads(connection, slugs):
            page = await entries.after(connection, head, 0, 100)
            told = [
                e.at
                for e in page
                if e.kind == "consult.update" and e.body and e.body["state"]["opinions"]
            ]
            if told:
                waits.append((told[0] - page[0].at) / 1000)
    return sorted(waits)


def middle(values: Sequence[float]) -> float:
    low, high = values[(len(values) - 1) // 2], values[len(values) // 2]
    return (low + high) / 2


async def how_many(house: House) -> int:
    async with house.lounge.database.reading() as connection:
        return len((await connection.execute(select(consult_table.c.slug))).all())


def at(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def test_ten_waits_make_a_median_and_a_ninth_in_ten() -> None:
    minute = 60_000
    cases = [Timed(0, n * minute) for n in range(1, 11)] + [Timed(5, None)]
    figures = first_opinions.wait(cases)
    assert figures == first_opinions.Wait(10, 1, 330.0, 540.0)
    assert first_opinions.wait([]) == first_opinions.Wait(0, 0, None, None)
    assert list(first_opinions.by_hour([Timed(3_600_000, 3_601_000)])) == [1]


# -- the guards ----------------------------------------------------------------------------------


async def kept(stores: Stores, **other: Any) -> Consult:
    """A case as its rows, with its card in another room."""
    number, elsewhere = await new_room(stores.lounge), await new_room(stores.lounge)
    new = Consult(
        slug=f"consult/{new_cid()}",
        room_id=number,
        author=b"an author 16 byt",
        urgency="now",
        specialties=("urology", "cardiology"),
        state="open",
        opened=1_000,
        closes=2_000,
        enough=9,
        question="Wait?",
    )
    new = replace(new, **other)
    told: dict[str, Any] = {"question": "Wait?", "state": {"phase": "open", "opinions": 0}}
    card = Elsewhere(elsewhere, (draft("consult.card", **told),))
    steps = [rows.opening(new), rows.announcing(new.slug, elsewhere)]
    async with writing(stores.lounge) as writer:
        opened = act(number, draft("consult.open", **told), steps=steps, elsewhere=(card,))
        assert isinstance((await settled(writer, opened))[0], Outcome)
    return new


async def read(stores: Stores, slug: str) -> Consult:
    async with stores.lounge.reading() as connection:
        return (await rows.by_slug(connection, [slug]))[slug]


async def test_of_two_who_count_at_once_one_tells(stores: Stores) -> None:
    was = await read(stores, (await kept(stores)).slug)
    async with writing(stores.lounge) as writer:
        both = [
            act(was.room_id, consults.update(state(was, opinions=n)), steps=[rows.counting(was, n)])
            for n in (1, 2)
        ]
        first, second = await settled(writer, *both)
        assert isinstance(first, Outcome)
        assert isinstance(second, Missed)
        now = await read(stores, was.slug)
        assert (now.told, now.first) == (1, first.placed[0].seq)
        (third,) = await settled(
            writer,
            act(
                was.room_id, consults.update(state(now, opinions=2)), steps=[rows.counting(now, 2)]
            ),
        )
        assert isinstance(third, Outcome)
    assert (await read(stores, was.slug)).first == first.placed[0].seq


async def test_a_phase_is_left_once_and_only_from_where_it_was(stores: Stores) -> None:
    was = await read(stores, (await kept(stores)).slug)

    def reveal() -> Act:
        return act(was.room_id, draft("consult.update"), steps=[rows.moving(was, "revealed", 3)])

    async with writing(stores.lounge) as writer:
        first, second = await settled(writer, reveal(), reveal())
        assert isinstance(first, Outcome)
        assert isinstance(second, Missed)
        now = await read(stores, was.slug)
        assert (now.state, now.told, now.revealed) == ("revealed", 3, first.placed[0].seq)
        late = act(was.room_id, draft("consult.update"), steps=[rows.counting(was, 4)])
        blind = act(was.room_id, draft("consult.update"), steps=[rows.stands(was.slug, "open")])
        gone = act(was.room_id, draft("consult.update"), steps=[rows.withdrawing(now)])
        stale = act(was.room_id, draft("consult.update"), steps=[rows.moving(now, "decided")])
        answers = await settled(writer, late, blind, gone, stale)
        assert [isinstance(each, Missed) for each in answers] == [True, True, False, True]
    assert state(await read(stores, was.slug)).withdrawn == 1


async def test_a_board_and_its_cards_are_read_alike_in_both_databases(stores: Stores) -> None:
    one = await kept(stores, urgency="routine")
    two = await kept(stores, urgency="today", specialties=("urology",))
    three = await kept(stores, state="decided", specialties=("cardiology-x",))
    async with stores.lounge.writing() as connection:
        is_sqlite = stores.lounge.is_sqlite
        for until in (5_000, 6_000):
            await rows.look_at(connection, is_sqlite, b"a key", one.slug, until, 1)
    ours = {one.slug, two.slug, three.slug}
    async with stores.lounge.reading() as connection:
        everything = await rows.listed(connection, now=5_500, limit=99, phases=rows.PHASES)
        urology = await rows.listed(
            connection, now=6_000, limit=99, phases=("open",), specialty="urology"
        )
        (card,) = await rows.cards(connection, one.slug)
        at_card = await rows.states(connection, card.room_id, [card.seq, 99])
        at_case = await rows.states(connection, one.room_id, [1])
    listed = [each for each in everything if each.consult.slug in ours]
    assert [each.consult.slug for each in listed] == [two.slug, one.slug, three.slug]
    assert [each.looking for each in listed] == [0, 1, 0]
    assert {each.consult.slug for each in urology} & ours == {one.slug, two.slug}
    assert all(not each.looking for each in urology if each.consult.slug in ours)
    assert at_card == {card.seq: {"phase": "open", "opinions": 0}}
    assert at_case == {1: {"phase": "open", "opinions": 0}}


async def test_it_is_due_to_close_when_its_time_has_come(house: House) -> None:
    ana = await house.guest("ana-who-waits")
    case = await put(ana, closes_in=5)
    async with house.lounge.database.reading() as connection:
        waiting = await due.waiting(connection, case)
    opened = await opening_of(ana, case)
    (close,) = [each for each in waiting if each.kind == "consult.close"]
    assert close.at == round(at(opened["closes"]) * 1000)
