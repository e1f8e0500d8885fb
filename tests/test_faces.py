"""Faces: one is worn in each room until it is changed, and what others will see is seen before."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from lounge.names import candidates
from lounge.persona_page import band
from lounge.personas import MOST_RETIRED, persona_id
from storage import entries, personas
from storage.acts import Missed, Outcome, PersonaRow, Step
from storage.entries import Shown
from storage.identity_schema import IDENTITY
from storage.schema import persona
from tests.acts import ANA, BEN, act, draft, new_room, settled, writing
from tests.stores import Stores
from tests.support import Guest, House, new_cid, open_house

CARDIOLOGY = "specialty/cardiology"


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("faces")
    async with open_house(folder, redis_url, bench=True) as house:
        await house.fill_crowd()
        for name in ("Zora Quill", "Yann Marsh"):
            await called(house, name)
        yield house


async def called(house: House, name: str, **traits: Any) -> str:
    """A doctor by that real name, who may say so; guests of the name's first word."""
    first = name.split()[0].lower()
    email = house.doctors[first] = f"{first}.{secrets.token_hex(4)}@clinic.test"
    of: dict[str, Any] = {"country": "CA", "specialty": "cardiology", **traits}
    await house.lounge.doctors.add(email=email, name=name, verified=True, **of)
    return first


@pytest.fixture
def room() -> str:
    """A room of the test's own."""
    return another_room()


def another_room() -> str:
    return f"bench/{secrets.randbelow(10**8)}"


async def heard(guest: Guest, said: dict[str, Any], room: str) -> dict[str, Any]:
    """By whom that was said, as another hears it."""
    by: dict[str, Any] = (await guest.reaches(room, said["seq"]))[-1]["by"]
    return by


async def name_on_screen(house: House, who: str, name: str) -> None:
    async with house.http(await house.token(who)) as http:
        answer = await http.patch("/api/screen-name", json={"name": name})
        assert answer.status_code == 200, answer.text
        assert (await http.get("/api/screen-name")).json() == {"name": name}


# -- which face ----------------------------------------------------------------------------------


async def test_whoever_joins_is_told_her_faces_and_how_many_may_be_here(house: House) -> None:
    joined = await (await house.guest("ana")).join(CARDIOLOGY)
    assert (joined["face"], joined["exact"], joined["ignored"]) == ("anonymous", False, [])
    assert [by["as"] for by in joined["you"]] == ["anonymous"]
    counted = house.lounge.personas.crowd.members(CARDIOLOGY)
    assert joined["crowd"] == {"members": counted, "thin": True}
    assert 20 < counted < 50


async def test_nobody_is_told_of_faces_in_her_own_log(house: House) -> None:
    joined = await (await house.guest("ana")).join("me")
    assert not {"face", "exact", "ignored", "crowd"} & joined.keys()


async def test_what_is_previewed_is_exactly_what_others_see(house: House, room: str) -> None:
    await name_on_screen(house, "zora", "Night Owl")
    zora, ben = await house.guest("zora", room), await house.guest("ben", room)
    for face, name in (("anonymous", None), ("screen", "Night Owl"), ("named", "Zora Quill")):
        shown = (await zora.ask("preview", room=room, **{"as": face}))["by"]
        said = await zora.say(room, f"as {face}", **{"as": face})
        assert await heard(ben, said, room) == shown
        assert shown["as"] == face
        assert shown["name"] == (name or shown["name"])
    later = await house.guest("chiara", room)
    kept = [event["by"]["name"] for event in later.events[room]]
    assert kept[1:] == ["Night Owl", "Zora Quill"]


async def test_a_face_stays_until_it_is_changed_and_a_message_may_differ(
    house: House, room: str
) -> None:
    zora, ben = await house.guest("zora", room), await house.guest("ben", room)
    answer = await zora.ask("face", room=room, **{"as": "named"})
    assert (answer["face"], answer["exact"]) == ("named", False)
    first = await heard(ben, await zora.say(room, "under my name"), room)
    other = await heard(ben, await zora.say(room, "once without", **{"as": "anonymous"}), room)
    again = await heard(ben, await zora.say(room, "under my name again"), room)
    assert (first["name"], first["as"], other["as"]) == ("Zora Quill", "named", "anonymous")
    assert again == first
    back = await (await house.guest("zora")).join(room)
    assert back["face"] == "named"
    assert {by["id"] for by in back["you"]} >= {first["id"], other["id"]}
    await zora.ask("face", room=room, **{"as": "anonymous"})
    assert await heard(ben, await zora.say(room, "without it"), room) == other


async def test_a_face_is_of_one_room(house: House, room: str) -> None:
    elsewhere = another_room()
    zora = await house.guest("zora", room, elsewhere)
    await zora.ask("face", room=room, **{"as": "named"})
    shown = await zora.ask("preview", room=elsewhere)
    assert shown["by"]["as"] == "anonymous"


async def test_the_usual_face_is_worn_where_none_was_chosen(house: House, room: str) -> None:
    await called(house, "Wanda Reed")
    wanda = await house.guest("wanda", room)
    async with house.http(house.passes["wanda"]) as http:
        assert (await http.get("/api/face")).json() == {"as": "anonymous"}
        refused = await http.put("/api/face", json={"as": "screen"})
        assert refused.json()["error"]["code"] == "forbidden"
        await name_on_screen(house, "wanda", "River Reed")
        assert (await http.put("/api/face", json={"as": "screen"})).json() == {"as": "screen"}
        assert (await http.put("/api/face", json={"as": "named"})).status_code == 400
    assert (await wanda.ask("preview", room=room))["by"]["name"] == "River Reed"
    await wanda.ask("face", room=room, **{"as": "anonymous"})
    assert (await wanda.ask("preview", room=room))["by"]["as"] == "anonymous"
    assert (await wanda.join(another_room()))["face"] == "screen"


async def test_a_real_name_goes_nowhere_without_its_owners_act(house: House, room: str) -> None:
    zora = await house.guest("zora", room)
    await zora.say(room, "made up")
    joined = await (await house.guest("zora")).join(room)
    assert "Zora Quill" not in str(joined)


async def test_without_a_screen_name_there_is_no_such_face(house: House, room: str) -> None:
    ben = await house.guest("ben", room)
    for op in ("face", "preview"):
        assert (await ben.refused(op, room=room, **{"as": "screen"}))["code"] == "forbidden"
    said = await ben.refused("say", room=room, cid=new_cid(), text="as who?", **{"as": "screen"})
    assert said["code"] == "forbidden"


async def test_the_first_word_under_ones_name_is_not_overtaken(house: House, room: str) -> None:
    """Her name has to be looked up first; what she says next waits for it."""
    yann = await house.guest("yann", room)
    refs = [
        await yann.send("say", room=room, cid=new_cid(), text=str(n), **{"as": face})
        for n, face in enumerate(["named", "anonymous", "anonymous", "named"])
    ]
    seqs = [(await yann.answer(ref))["seq"] for ref in refs]
    assert seqs == [1, 2, 3, 4]


async def test_one_whose_screen_name_is_new_is_known_by_it_in_her_next_say(
    house: House, room: str
) -> None:
    yann, ben = await house.guest("yann", room), await house.guest("ben", room)
    await name_on_screen(house, "yann", "Morning Lark")
    for name in ("Morning Lark", "Evening Lark"):
        await name_on_screen(house, "yann", name)
        said = await yann.say(room, "who am I?", **{"as": "screen"})
        assert (await heard(ben, said, room))["name"] == name
    past = await ben.ask("history", room=room, after=0)
    assert {event["by"]["name"] for event in past["events"]} == {"Evening Lark"}


async def test_an_anonymous_say_touches_nothing_that_belongs_to_an_account(
    house: House, room: str
) -> None:
    zora = await house.guest("zora", room)
    await house.lounge.belongings.write()
    before = await everything(house)
    await zora.say(room, "nobody's")
    assert await everything(house) == before


async def everything(house: House) -> list[object]:
    async with house.lounge.identity_database.reading() as connection:
        return [
            sorted(map(repr, await connection.execute(select(table))))
            for table in IDENTITY.sorted_tables
            if table.name not in ("session", "token", "attempt")
        ]


# -- the badge -----------------------------------------------------------------------------------


async def test_the_whole_badge_is_shown_only_to_whoever_wants_it_so(
    house: House, room: str
) -> None:
    await called(house, "Xenia Frost", specialty="cardiology", country="IS")
    xenia, ben = await house.guest("xenia", room), await house.guest("ben", room)
    coarse = {"grade": "specialist", "specialty": "cardiology"}
    exact = {**coarse, "country": "IS"}
    assert (await xenia.ask("preview", room=room))["by"]["badge"] == coarse
    assert (await xenia.ask("preview", room=room, exact=True))["by"]["badge"] == exact
    assert (await heard(ben, await xenia.say(room, "one"), room))["badge"] == coarse
    answer = await xenia.ask("face", room=room, exact=True, **{"as": "anonymous"})
    assert answer["exact"] is True
    assert (await heard(ben, await xenia.say(room, "two"), room))["badge"] == exact
    await xenia.ask("face", room=room, exact=False, **{"as": "anonymous"})
    assert (await heard(ben, await xenia.say(room, "three"), room))["badge"] == coarse
    past = await ben.ask("history", room=room, after=0)
    assert [event["by"]["badge"] for event in past["events"]] == [coarse] * 3


# -- retiring ------------------------------------------------------------------------------------


async def test_who_retires_is_somebody_new_and_what_she_said_stays_hers(
    house: House, room: str
) -> None:
    ana, ben = await house.guest("ana", room), await house.guest("ben", room)
    said = await ana.say(room, "as before")
    before = await heard(ben, said, room)
    you = (await ana.ask("retire", room=room, cid=new_cid()))["you"]
    assert you[0]["id"] != before["id"]
    assert before in you
    assert (await ana.ask("retire", room=room, cid=new_cid()))["you"] == you, "nothing to retire"
    after = await heard(ben, await ana.say(room, "as another"), room)
    assert after == you[0]
    edit = await ana.ask("edit", room=room, seq=said["seq"], cid=new_cid(), text="still mine")
    assert (await ben.reaches(room, edit["seq"]))[-1]["by"] == before
    await ana.ask("redact", room=room, seq=said["seq"], cid=new_cid())
    again = await (await house.guest("ana")).join(room)
    assert again["you"] == you


async def test_a_persona_retired_on_another_process_is_not_used_again(
    house: House, room: str
) -> None:
    """Her row may not be written yet: that the next persona has spoken tells it."""
    ana = await house.guest("ana", room)
    await ana.say(room, "as before")
    people, who = house.lounge.personas, await house.lounge.doctors.id_of(house.doctors["ana"])
    number = await house.lounge.conversation.number(room)
    following = people.id_of(who or "", room, generation=1)
    async with house.lounge.database.writing() as connection:
        row = {"id": following, "face": "anonymous", "badge": "{}", "name": "Lynx Indigo"}
        await connection.execute(persona.insert().values(**row, room_id=number))
    back = await (await house.guest("ana")).join(room)
    assert persona_id(back["you"][0]["id"]) == following
    assert back["you"][0]["name"] == "Lynx Indigo"


async def test_names_can_be_given_up_only_so_often(house: House, room: str) -> None:
    ana = await house.guest("ana", room)
    for _ in range(MOST_RETIRED):
        await ana.say(room, "once more")
        await ana.ask("retire", room=room, cid=new_cid())
    await ana.say(room, "the last")
    refused = await ana.refused("retire", room=room, cid=new_cid())
    assert refused["code"] == "forbidden"


# -- others --------------------------------------------------------------------------------------


async def test_whom_one_ignores_is_kept_for_oneself(house: House, room: str) -> None:
    ana, ben = await house.guest("ana", room), await house.guest("ben", room)
    loud = await heard(ana, await ben.say(room, "LOUD"), room)
    assert (await ana.ask("ignore", room=room, persona=loud["id"], on=True))["ignored"] == [
        loud["id"]
    ]
    assert (await (await house.guest("ana")).join(room))["ignored"] == [loud["id"]]
    assert (await (await house.guest("chiara")).join(room))["ignored"] == []
    assert (await ana.ask("ignore", room=room, persona=loud["id"], on=False))["ignored"] == []
    me = (await ana.ask("preview", room=room))["by"]["id"]
    assert (await ana.refused("ignore", room=room, persona=me, on=True))["code"] == "invalid"


async def test_a_page_tells_how_often_somebody_else_gave_thanks(house: House, room: str) -> None:
    ana, ben = await house.guest("ana", room), await house.guest("ben", room)
    chiara = await house.guest("chiara", room)
    helpful = [await ana.say(room, f"advice {n}") for n in range(4)]
    by = await heard(ben, helpful[-1], room)
    own = await ana.refused(
        "react", room=room, seq=helpful[0]["seq"], cid=new_cid(), emoji="🙏", on=True
    )
    assert own["code"] == "forbidden"
    for guest, said, emoji in (
        *((ben, each, "🙏") for each in helpful[:3]),
        (chiara, helpful[0], "🙏"),
        (chiara, helpful[3], "👍"),
    ):
        place = {"room": room, "seq": said["seq"], "emoji": emoji}
        await guest.ask("react", **place, cid=new_cid(), on=True)
    page = await see(house, "ben", room, by["id"])
    assert page == {
        "by": by,
        "helped": {"min": 3, "max": 5},
        "own": False,
        "ignored": False,
        "retired": False,
    }
    await ana.ask("retire", room=room, cid=new_cid())
    mine = await see(house, "ana", room, by["id"])
    assert (mine["own"], mine["retired"]) == (True, True)
    assert (await see(house, "ben", "world", by["id"]))["error"]["code"] == "not_found"
    assert (await see(house, "ben", room, "nobody"))["error"]["code"] == "not_found"


async def see(house: House, who: str, room: str, id: str) -> dict[str, Any]:
    async with house.http(house.passes[who]) as http:
        page: dict[str, Any] = (await http.get(f"/api/rooms/{room}/personas/{id}")).json()
        return page


def test_a_count_is_told_as_a_band() -> None:
    counts = (0, 1, 2, 3, 5, 6, 50, 51, 10_000)
    bands = [(0, 0), (1, 2), (1, 2), (3, 5), (3, 5), (6, 10), (21, 50), (51, None), (51, None)]
    assert [band(count) for count in counts] == bands


async def test_whoever_changes_her_face_reacts_once_all_the_same(house: House, room: str) -> None:
    ana, zora = await house.guest("ana", room), await house.guest("zora", room)
    said = await ana.say(room, "agree?")
    place = {"room": room, "seq": said["seq"], "emoji": "👍", "on": True}
    first = await zora.ask("react", **place, cid=new_cid())
    await zora.ask("face", room=room, **{"as": "named"})
    again = await zora.ask("react", **place, cid=new_cid())
    assert (again["seq"], again["duplicate"]) == (first["seq"], True)


# -- names in the store --------------------------------------------------------------------------


async def spoken(stores: Stores, room: int, *rows: PersonaRow) -> list[str | None]:
    """The names that these got, each with a say, all queued together."""
    async with writing(stores.lounge) as writer:
        acts = [act(room, draft("say", persona=row.id, text="."), persona=row) for row in rows]
        answers = await settled(writer, *acts)
    return [answer.name if isinstance(answer, Outcome) else None for answer in answers]


async def shown(stores: Stores, *ids: bytes) -> list[Shown | None]:
    async with stores.lounge.reading() as connection:
        found = await personas.shown(connection, ids)
    return [found.get(id) for id in ids]


def newcomer(*names: str, id: bytes | None = None, badge: str = "{}") -> PersonaRow:
    return PersonaRow(id or secrets.token_bytes(16), "anonymous", badge, names=names)


async def test_no_two_personas_of_a_room_have_one_name(stores: Stores) -> None:
    """Not in one transaction, not in the next, and not from two processes at the same moment."""
    room, other = await new_room(stores.lounge), await new_room(stores.lounge)
    together = await spoken(stores, room, newcomer("Lynx Indigo", "Kiwi Agile"))
    assert together == ["Lynx Indigo"]
    three = [newcomer("Lynx Indigo", "Kiwi Agile", "Ibis Mauve", "Duo Chic") for _ in range(3)]
    assert await spoken(stores, room, *three) == ["Kiwi Agile", "Ibis Mauve", "Duo Chic"]
    assert await spoken(stores, other, newcomer("Lynx Indigo", "Duo Chic")) == ["Lynx Indigo"]
    names = ("Solo Rare", "Trio Rare", "Sofa Rare", "Silex Rare")
    two = [spoken(stores, room, newcomer(*names), newcomer(*names)) for _ in range(2)]
    got = [name for each in await asyncio.gather(*two) for name in each]
    assert sorted(map(str, got)) == sorted(names)


async def test_who_has_a_name_keeps_it_also_when_she_says_that_she_is_new(stores: Stores) -> None:
    """A retry, a second tab, another process: none of them knows that she has spoken."""
    room, ana = await new_room(stores.lounge), secrets.token_bytes(16)
    assert await spoken(stores, room, newcomer("Lynx Indigo", "Duo Chic", id=ana)) == [
        "Lynx Indigo"
    ]
    again = [newcomer("Duo Chic", "Lynx Indigo", id=ana, badge='{"group":"x"}') for _ in range(2)]
    assert await spoken(stores, room, *again) == ["Lynx Indigo", "Lynx Indigo"]
    assert await shown(stores, ana) == [Shown("anonymous", "{}", "Lynx Indigo", False)]


async def test_where_all_her_names_are_taken_she_alone_is_refused(stores: Stores) -> None:
    room = await new_room(stores.lounge)
    await spoken(
        stores, room, newcomer("Lynx Indigo", "Duo Chic"), newcomer("Duo Chic", "Kiwi Agile")
    )
    late = newcomer("Lynx Indigo", "Duo Chic"), newcomer("Lynx Indigo", "Ibis Mauve")
    assert await spoken(stores, room, *late) == [None, "Ibis Mauve"]


async def test_names_that_are_not_made_up_may_be_two_peoples(stores: Stores) -> None:
    room = await new_room(stores.lounge)
    rows = [PersonaRow(secrets.token_bytes(16), "named", "{}", names=("A. Silva",)) for _ in "ab"]
    assert await spoken(stores, room, *rows) == ["A. Silva", "A. Silva"]


async def test_who_spoke_before_names_were_kept_gets_one_with_her_next_say(stores: Stores) -> None:
    room, row = await new_room(stores.lounge), newcomer("Lynx Indigo", "Duo Chic", badge='{"a":1}')
    await spoken(stores, room, row)
    async with stores.lounge.writing() as connection:
        await connection.execute(update(persona).values(name=None, room_id=None))
    was = PersonaRow(row.id, "anonymous", row.badge, was=row.badge, names=row.names)
    assert await spoken(stores, room, was) == ["Lynx Indigo"]
    assert await shown(stores, row.id) == [Shown("anonymous", '{"a":1}', "Lynx Indigo", False)]


def test_every_doctor_of_a_full_room_has_a_name_that_nobody_else_has(house: House) -> None:
    """Reckoned as the writer does it, one after another."""
    people, taken = house.lounge.personas, set[str]()
    for n in range(3_000):
        names = candidates(people.id_of(f"doctor {n}", "world"))
        taken.add(next(name for name in names if name not in taken))
    assert len(taken) == 3_000


async def test_an_offer_stands_until_it_is_taken_or_its_time_is_over(stores: Stores) -> None:
    room, lounge, id = await new_room(stores.lounge), stores.lounge, secrets.token_bytes(16)

    async def done(*steps: Step) -> Outcome | BaseException:
        async with writing(lounge) as writer:
            return (await settled(writer, act(room, steps=steps)))[0]

    async def stands(now: int) -> bool:
        async with lounge.reading() as connection:
            return await personas.open_offers(connection, [id, b"another"], now) == {id}

    await done(*personas.put_offer(lounge.is_sqlite, id, 100, 1))
    await done(*personas.put_offer(lounge.is_sqlite, id, 200, 1))
    assert (await stands(150), await stands(200)) == (True, False)
    assert isinstance(await done(personas.take_offer(id, 200)), Missed)
    assert isinstance(await done(personas.take_offer(id, 150)), Outcome)
    assert isinstance(await done(personas.take_offer(id, 150)), Missed)
    await done(*personas.put_offer(lounge.is_sqlite, id, 100, 1))
    await done(*personas.put_offer(lounge.is_sqlite, b"another", 300, 250))
    assert not await stands(1), "whose time is over goes with the next"


async def test_thanks_and_threads_are_read_as_they_stand(stores: Stores) -> None:
    lounge = stores.lounge
    room = await new_room(lounge)
    async with writing(lounge) as writer:
        for target in (None, 1, None):
            await settled(writer, act(room, draft("say", persona=ANA, text=".", target=target)))
        for seq, who, emoji, on in (
            (1, BEN, "🙏", True),
            (2, BEN, "🙏", False),
            (3, BEN, "👍", True),
        ):
            steps = [entries.put_reaction(lounge.is_sqlite, room, seq, emoji, who, True)]
            if not on:
                steps.append(entries.put_reaction(lounge.is_sqlite, room, seq, emoji, who, False))
            await settled(writer, act(room, draft("react", persona=who, target=seq), steps=steps))
    async with lounge.reading() as connection:
        assert await personas.helped(connection, room, ANA, "🙏") == 1
        assert await personas.helped(connection, room, BEN, "🙏") == 0
        assert await personas.last_in_thread(connection, room, {1}, {ANA, BEN}) == (2, ANA)
        assert await personas.last_in_thread(connection, room, {3}, {ANA}) == (3, ANA)
        assert await personas.last_in_thread(connection, room, None, {ANA}) == (3, ANA)
        assert await personas.last_in_thread(connection, room, {1}, {BEN}) is None
