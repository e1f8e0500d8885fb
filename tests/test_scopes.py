"""Over what a moderator is appointed, and where she keeps out."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from lounge.doctors import Doctor, is_role, staff
from lounge.errors import Refusal
from lounge.guard import language
from lounge.moderating.scopes import NEAR, About, is_appointed, may
from storage import consults
from tests.queue import moderator, new_room, reports, seated
from tests.queue import report as reports_it
from tests.support import House, new_cid, open_house

CARDIOLOGY, CANADA = "specialty/cardiology", "country/ca"
ENGLISH = "The patient was seen in the clinic with chest pain and shortness of breath this morning."
FRENCH = "Le patient a été vu à la consultation avec une douleur thoracique et un essoufflement ce matin."


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("scopes"), redis_url, bench=True) as house:
        yield house


async def pins(client: httpx2.AsyncClient, room: str, seq: int) -> int | str:
    """What an act on that entry is answered with."""
    body = {"act": "pin", "seq": seq, "reason": "other", "cid": new_cid()}
    answer = await client.post(f"/api/rooms/{room}/moderate", json=body)
    return 200 if answer.status_code == 200 else str(answer.json()["error"]["message"])


def doctor(*roles: str, verified: bool = True) -> Doctor:
    traits = ("GB", None, "neurology", "specialist", "en")
    return Doctor("mara", *traits, frozenset(roles), verified)


# -- pure ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "may_be"),
    [
        ("moderator", True),
        ("moderator:world", True),
        ("moderator:specialty/cardiology", True),
        ("moderator:country/ca", True),
        ("moderator:language/fr", True),
        ("moderator:house/tumour-board", True),
        ("moderator:specialty/astrology", False),
        ("moderator:country/CA", False),
        ("moderator:language/de", False),
        ("moderator:me", False),
        ("moderator:", False),
        ("registrar:world", False),
    ],
)
def test_a_moderator_is_appointed_for_what_there_is(role: str, may_be: bool) -> None:
    assert is_role(role) is may_be


def test_a_scope_is_a_room_a_country_or_a_language() -> None:
    everywhere = doctor("moderator")
    heart = doctor(f"moderator:{CARDIOLOGY}")
    canada = doctor(f"moderator:{CANADA}")
    french = doctor("moderator:language/fr")
    assert may(everywhere, "world")
    assert may(heart, CARDIOLOGY)
    assert not may(heart, "world")
    assert may(heart, "consult/abc", rooms=[CARDIOLOGY])
    assert may(canada, "world", country="CA")
    assert not may(canada, "world", country="GB")
    assert may(french, "world", "fr")
    assert not may(french, "world", "en")
    assert not may(doctor("officer"), "world")
    assert not may(doctor("moderator", verified=False), "world")


def test_a_language_is_told_by_how_a_text_begins_and_only_where_somebody_is_appointed_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later = About("world", words="x" * 1000 + " " + FRENCH)
    assert is_appointed({"moderator:language/fr"}, About("world", words=FRENCH))
    assert not is_appointed({"moderator:language/fr"}, later)
    monkeypatch.delattr(language, "language_of")
    assert not is_appointed({f"moderator:{CANADA}"}, About("world", words=FRENCH))


def test_a_moderator_of_anything_is_staff_and_lets_nobody_in() -> None:
    assert staff({"doctor", "moderator:world"})
    assert not staff({"doctor"})


async def test_who_lets_doctors_in_moderates_nothing(house: House) -> None:
    doctors = house.lounge.doctors
    id = await doctors.id_of(await house.doctor("registra"))
    assert id
    with pytest.raises(Refusal):
        await doctors.set_roles(id, ["registrar", "moderator:world"])


# -- served --------------------------------------------------------------------------------------


async def test_a_queue_shows_what_is_in_scope_and_nothing_else_can_be_touched(house: House) -> None:
    await house.fill_crowd()
    room = new_room()
    ana, ben = await seated(house, "ana", room), await seated(house, "ben", room)
    ours = (await ana.say(room, ENGLISH))["seq"]
    theirs = (await ben.say(room, ENGLISH))["seq"]
    french = (await ben.say(room, FRENCH))["seq"]
    for seq in (ours, theirs, french):
        await reports_it(house, "chiara", room, seq, "other")
    in_scope = {
        "moderator": {ours, theirs, french},
        f"moderator:{CANADA}": {ours},
        "moderator:language/fr": {french},
        f"moderator:{CARDIOLOGY}": set(),
    }
    everything = {ours, theirs, french}
    async with moderator(house, "mara") as mara:
        ids = {each["seq"]: each["id"] for each in await reports(mara, room)}
    for role, hers in in_scope.items():
        async with moderator(house, role.replace(":", "-").replace("/", "-"), role) as one:
            assert {each["seq"] for each in await reports(one, room)} == hers
            for seq in everything - hers:
                assert "other rooms" in str(await pins(one, room, seq))
                claimed = await one.post(f"/api/reports/{ids[seq]}/claim")
                assert claimed.status_code == 403


async def test_a_moderator_of_a_specialty_looks_after_the_cases_put_to_it(house: House) -> None:
    ana = await seated(house, "ana")
    case = await ana.ask(
        "consult",
        cid=new_cid(),
        question="Anticoagulate?",
        specialties=["cardiology"],
        urgency="routine",
    )
    room = case["consult"]
    async with (
        moderator(house, "heart", f"moderator:{CARDIOLOGY}") as heart,
        moderator(house, "brain", "moderator:specialty/neurology") as brain,
    ):
        assert await pins(heart, room, 1) == 200
        assert "other rooms" in str(await pins(brain, room, 1))


async def test_nobody_acts_near_what_she_says_herself(house: House) -> None:
    room = new_room()
    ana = await seated(house, "ana", room)
    first = (await ana.say(room, "One."))["seq"]
    async with moderator(house, "mona") as client:
        own = (await (await seated(house, "mona", room)).say(room, "I see it otherwise."))["seq"]
        for n in range(NEAR):
            last = (await ana.say(room, f"And {n}."))["seq"]
        beyond = (await ana.say(room, "Something else."))["seq"]
        assert last == own + NEAR
        for seq in (first, last):
            assert "yourself" in str(await pins(client, room, seq))
        assert await pins(client, room, beyond) == 200


async def test_in_a_case_whoever_has_said_anything_keeps_out_for_good(house: House) -> None:
    ana = await seated(house, "ana")
    case = await ana.ask(
        "consult",
        cid=new_cid(),
        question="Operate?",
        specialties=["cardiology"],
        urgency="routine",
    )
    room = case["consult"]
    async with moderator(house, "surgeon") as client:
        surgeon = await seated(house, "surgeon", room)
        await surgeon.say(room, "Ask a surgeon first?", sort="question")
        await ana.join(room)
        for n in range(NEAR + 2):
            seq = (await ana.say(room, f"More {n}."))["seq"]
        assert "yourself" in str(await pins(client, room, seq))


async def test_an_act_on_a_room_is_not_had_by_naming_an_entry_of_it(house: House) -> None:
    room = new_room()
    ana, ben = await seated(house, "ana", room), await seated(house, "ben", room)
    french = (await ben.say(room, FRENCH))["seq"]
    async with moderator(house, "fleur", "moderator:language/fr") as fleur:
        assert "other rooms" in str(await _acts(fleur, "freeze", room, french))
        assert "other rooms" in str(await _acts(fleur, "slow", room, french, seconds=60))
    for n in range(NEAR):
        await ana.say(room, f"And {n}.")
    async with moderator(house, "mona") as mona:
        await (await seated(house, "mona", room)).say(room, "I see it otherwise.")
        assert "yourself" in str(await _acts(mona, "freeze", room, french))


async def test_a_card_is_acted_on_as_its_case_is(house: House) -> None:
    ana = await seated(house, "ana")
    asked = {"question": "Drain?", "specialties": ["cardiology"], "cid": new_cid()}
    room = (await ana.ask("consult", **asked))["consult"]
    async with house.lounge.database.reading() as connection:
        cards = {card.room_id: card for card in await consults.cards(connection, room)}
    card = cards[await house.lounge.conversation.number(CARDIOLOGY)]
    async with moderator(house, "drainer") as drainer, moderator(house, "claimer") as claimer:
        await reports_it(house, "chiara", room, 1, "other")
        [found] = await reports(claimer, room)
        assert (await claimer.post(f"/api/reports/{found['id']}/claim")).status_code == 200
        assert "Another moderator" in str(await pins(drainer, CARDIOLOGY, card.seq))
        assert await pins(claimer, CARDIOLOGY, card.seq) == 200
        await (await seated(house, "drainer", room)).say(room, "How much?", sort="question")
        assert "yourself" in str(await pins(drainer, CARDIOLOGY, card.seq))


async def _acts(client: httpx2.AsyncClient, act: str, room: str, seq: int, **terms: int) -> str:
    """What an act on a room is answered with, where an entry is named with it."""
    body = {"act": act, "seq": seq, "reason": "other", "cid": new_cid(), **terms}
    answer = await client.post(f"/api/rooms/{room}/moderate", json=body)
    return str(answer.json().get("error", {}).get("message", answer.status_code))
