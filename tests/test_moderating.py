"""What moderators do with entries and rooms: for all at once, exactly, without saying whose words or hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from channels.ring import Item
from lounge.events import Mode, ModModeEvent, ModPinEvent, Office, encode
from lounge.exporting import export
from lounge.moderating.hiding import Why
from lounge.moderating.modes import Modes
from storage import consults, evidence, hands, moderating
from storage.schema import entry, hand, lounge_audit, report, room
from tests.backends import addresses
from tests.oncall import role
from tests.stores import SQLITE_FIRST
from tests.support import CAST, Guest, House, new_cid, open_house

WORLD = "world"
WARD = "specialty/cardiology"
NOBODY: Any = None
"""Whoever acts, where nobody asks who it is."""


@pytest.fixture(scope="module", params=SQLITE_FIRST)
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("moderating")
    async with (
        addresses(request) as urls,
        open_house(folder, redis_url, bench=True, **urls) as house,
    ):
        yield house


async def _served(guest: Guest, room: str, seq: int) -> dict[str, Any]:
    """The entry as it is served now."""
    past = await guest.ask("history", room=room, around=seq, limit=1)
    event: dict[str, Any] = past["events"][0]
    return event


async def _told(guest: Guest, notice: str, about: str, target: int) -> dict[str, Any]:
    """What she is told of it in her own log."""
    return await guest.hears("event", room="me", notice=notice, about=about, target=target)


async def _found(guest: Guest, word: str) -> list[int]:
    return [hit["seq"] for hit in (await guest.ask("search", q=word))["hits"]]


# -- hiding --------------------------------------------------------------------------------------


async def test_what_is_hidden_is_served_to_nobody_and_found_by_nobody(house: House) -> None:
    ana = await house.guest("ana", WORLD, "me")
    ben = await house.guest("ben", WORLD)
    said = await ana.say(WORLD, "Take zebrafishine.")
    edit = await ana.ask("edit", room=WORLD, seq=said["seq"], cid=new_cid(), text="Zebrafishol.")
    author = (await ben.reaches(WORLD, said["seq"]))[-1]["by"]["id"]
    await house.moderate("hide", WORLD, said["seq"], reason="dangerous_advice")
    act = await ben.hears("event", room=WORLD, kind="mod.hide", target=said["seq"])
    assert act["by"] == {"role": "moderator"}
    assert act["reason"] == "dangerous_advice"
    assert not {"name", "you", "pending"} & act.keys()
    for seq in (said["seq"], edit["seq"]):
        stone = await _served(ben, WORLD, seq)
        assert stone["kind"] == "tombstone"
        assert stone["hidden"] == {"role": "moderator", "reason": "dangerous_advice", "by": author}
    assert await _found(ben, "zebrafishol") == []
    assert not [each async for each in export(house.lounge.database, WORLD) if b"ebrafish" in each]
    told = await _told(ana, "hidden", WORLD, said["seq"])
    assert told["reason"] == "dangerous_advice"


async def test_a_moderator_in_scope_reads_what_is_hidden_though_nobody_reported_it(
    house: House,
) -> None:
    room = "specialty/urology"
    ana = await house.guest("ana", room)
    said = "A word that was never reported"
    seq, other = (await ana.say(room, said))["seq"], (await ana.say(room, "And one"))["seq"]
    await house.moderate("hide", room, seq)
    await house.doctor("heart", **{**CAST["moira"], "roles": ["moderator:specialty/cardiology"]})
    path = f"/api/rooms/{room}/hidden"
    async with house.http(await house.token("mara")) as http:
        assert (await http.get(f"{path}/{seq}")).json() == {"words": said}
        for nothing in (other, "none", 10**15 - 1, "9" * 40):
            assert (await http.get(f"{path}/{nothing}")).status_code == 404
        assert (await http.get(f"/api/rooms/nowhere/hidden/{seq}")).status_code == 404
    for name in ("ana", "heart"):
        async with house.http(await house.token(name)) as http:
            assert (await http.get(f"{path}/{seq}")).status_code == 403


async def test_who_comes_later_or_comes_back_is_not_served_it_either(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    said = await ana.say(WORLD, "Quaggaphylline for all.")
    await house.moderate("hide", WORLD, said["seq"])
    ben = await house.guest("ben", WORLD)
    await ben.hears("event", room=WORLD, seq=said["seq"], kind="tombstone")
    back = await house.guest("ben")
    await back.join(WORLD, since=said["seq"] - 1)
    await back.hears("event", room=WORLD, seq=said["seq"], kind="tombstone")
    assert not any("Quagga" in json.dumps(frame) for frame in ben.frames + back.frames)


async def test_nobody_answers_or_changes_what_is_hidden(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    ben = await house.guest("ben", WORLD)
    place = {"room": WORLD, "seq": (await ana.say(WORLD, "Hidden soon."))["seq"]}
    await house.moderate("hide", **place)
    tried = [
        await ana.refused("edit", **place, cid=new_cid(), text="Otherwise."),
        await ben.refused("react", **place, cid=new_cid(), emoji="👍", on=True),
        await ben.refused("say", room=WORLD, reply_to=place["seq"], text="No.", cid=new_cid()),
        await ben.refused("talk", **place, cid=new_cid()),
    ]
    assert {each["code"] for each in tried} == {"not_found"}


async def test_what_is_restored_reads_and_is_found_as_it_last_stood(house: House) -> None:
    ana = await house.guest("ana", WORLD, "me")
    ben = await house.guest("ben", WORLD)
    said = await ana.say(WORLD, "Okapimycin once.")
    place = {"room": WORLD, "seq": said["seq"]}
    await ana.ask("edit", **place, cid=new_cid(), text="Okapimycin twice.")
    await ben.ask("react", **place, cid=new_cid(), emoji="👍", on=True)
    await house.moderate("hide", **place)
    await house.moderate("restore", **place)
    await ben.hears("event", room=WORLD, kind="mod.restore", target=said["seq"])
    event = await _served(ben, WORLD, said["seq"])
    assert (event["text"], event["reactions"]) == ("Okapimycin twice.", {"👍": 1})
    assert await _found(ben, "okapimycin") == [said["seq"]]
    await _told(ana, "restored", WORLD, said["seq"])
    late = await house.guest("chiara", WORLD)
    await late.hears("event", room=WORLD, seq=said["seq"], kind="say", text="Okapimycin twice.")
    await ana.ask("edit", **place, cid=new_cid(), text="Okapimycin thrice.")
    assert await _found(ben, "thrice") == [said["seq"]]


async def test_what_waits_for_a_moderator_says_so_until_one_has_decided(house: House) -> None:
    ana = await house.guest("ana", WORLD, "me")
    seq = (await ana.say(WORLD, "Buy my tapirs."))["seq"]
    await _hidden_by_crowd(house, WORLD, seq)
    stone = await _served(ana, WORLD, seq)
    own = (await ana.join(WORLD))["you"][0]["id"]
    assert stone["hidden"] == {
        **{"role": "crowd", "reason": "advertising", "pending": True},
        "by": own,
    }
    await _told(ana, "hidden_pending", WORLD, seq)
    await house.moderate("hide", WORLD, seq, reason="advertising")
    assert (await _served(ana, WORLD, seq))["hidden"] == {
        **{"role": "moderator", "reason": "advertising"},
        "by": own,
    }
    mara = await _mara(house)
    again = {"room": WORLD, "seq": seq, "act": "hide", "reason": "other", "cid": new_cid()}
    assert (await mara.refused("moderate", **again))["code"] == "invalid"


async def test_an_author_may_still_take_back_what_is_hidden(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    seq = (await ana.say(WORLD, "The baker, you know."))["seq"]
    await house.moderate("hide", WORLD, seq)
    await ana.ask("redact", room=WORLD, seq=seq, cid=new_cid())
    assert "hidden" not in await _served(ana, WORLD, seq)
    assert await _body(house, WORLD, seq) is None


async def test_a_warning_stands_at_what_it_warns_of(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    ben = await house.guest("ben", WORLD)
    seq = (await ana.say(WORLD, "Double the digoxin."))["seq"]
    seat = await house.lounge.conversation.seat_above(NOBODY, WORLD)
    plan = house.lounge.moderating.hiding.caution(seat, seq, 3, ["Far too much."])
    assert plan.draft is not None
    await house.lounge.house_acts.do(seat.number, [plan.draft], plan.steps)
    act = await ben.hears("event", room=WORLD, kind="mod.caution", target=seq)
    assert (act["by"], act["doctors"], act["why"]) == ({"role": "crowd"}, 3, ["Far too much."])
    event = await _served(ben, WORLD, seq)
    assert event["text"] == "Double the digoxin."
    assert event["caution"] == {"doctors": 3, "why": ["Far too much."]}


async def test_hiding_is_done_once_however_often_it_is_asked(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    seq = (await ana.say(WORLD, "Once."))["seq"]
    mara = await _mara(house)
    asked = {"room": WORLD, "seq": seq, "act": "hide", "reason": "other", "cid": new_cid()}
    first = await mara.ask("moderate", **asked)
    again = await mara.ask("moderate", **asked)
    assert (again["seq"], again["duplicate"]) == (first["seq"], True)
    other = await mara.refused("moderate", **{**asked, "reason": "harassment"})
    assert other["code"] == "cid_conflict"
    async with house.http(await house.token("mara")) as page:
        answer = await page.post(f"/api/rooms/{WORLD}/moderate", json=_body_of(asked))
    assert answer.json() == {"seq": first["seq"], "duplicate": True}


# -- in consults ---------------------------------------------------------------------------------


async def test_whose_case_it_is_learns_that_an_answer_to_it_is_hidden(house: House) -> None:
    ana = await house.guest("ana", "me")
    ben = await house.guest("ben", "me")
    case = await _case(ana)
    await ben.join(case)
    seq = (await ben.say(case, "Lyse him.", sort="warning"))["seq"]
    await house.moderate("hide", case, seq, reason="dangerous_advice", note="He bleeds.")
    told = await _told(ana, "hidden_in_case", case, seq)
    assert (told["reason"], told["text"]) == ("dangerous_advice", "He bleeds.")
    await _told(ben, "hidden", case, seq)
    await house.moderate("restore", case, seq)
    await _told(ana, "restored_in_case", case, seq)


async def test_each_entry_that_hides_a_case_or_its_card_has_a_hand_of_its_own(house: House) -> None:
    ana = await house.guest("ana", WARD)
    case = await _case(ana, "Whose hand was it?")
    card = await ana.hears("event", room=WARD, kind="consult.card", consult=case)
    await house.moderate("hide", case, 1)
    told = await ana.hears("event", room=WARD, kind="mod.hide", target=card["seq"])
    async with house.lounge.database.reading() as connection:
        query = select(hand.c.act).where(hand.c.act.like(f"{case} %"))
        own = (await connection.execute(query)).scalars().all()
        elsewhere = await hands.of(connection, [f"{WARD} {told['seq']}"])
    assert (len(own), len(elsewhere)) == (1, 1)


async def test_a_hidden_case_is_hidden_wherever_it_is_announced(house: House) -> None:
    ana = await house.guest("ana", WARD)
    ben = await house.guest("ben")
    case = await _case(ana, "Is this gerenukosis?")
    card = await ana.hears("event", room=WARD, kind="consult.card", consult=case)
    await house.moderate("hide", case, 1)
    await ana.hears("event", room=WARD, kind="mod.hide", target=card["seq"])
    assert (await _served(ana, WARD, card["seq"]))["kind"] == "tombstone"
    assert await _found(ben, "gerenukosis") == []
    async with house.http(await house.token("ben")) as page:
        assert "gerenukosis" not in (await page.get("/api/consults")).text
    await house.moderate("restore", WARD, card["seq"])
    assert (await _served(ana, case, 1))["question"] == "Is this gerenukosis?"
    assert await _found(ben, "gerenukosis") == [1]


# -- slow, frozen, closed, pinned ----------------------------------------------------------------


async def test_in_slow_mode_each_doctor_says_one_thing_however_many_sockets_she_has(
    house: House,
) -> None:
    await _slow(house, WARD, 3600)
    sockets = [await house.guest("ana", WARD) for _ in range(4)]
    answers = await asyncio.gather(*map(_tried, sockets))
    refused = [each for each in answers if each["op"] == "error"]
    assert len(refused) == 3
    assert {each["code"] for each in refused} == {"slow_mode"}
    assert all(3590 <= each["retry_after"] <= 3600 for each in refused)
    ben = await house.guest("ben", WARD)
    await ben.say(WARD, "My first.")
    assert (await ben.join(WARD))["mode"] == {"slow": 3600, "frozen": False}
    await _slow(house, WARD, 0)
    await ben.say(WARD, "My second.")


async def test_a_warning_in_a_case_waits_for_nothing(house: House) -> None:
    ana = await house.guest("ana")
    ben = await house.guest("ben")
    case = await _case(ana)
    await ben.join(case)
    await house.moderate("slow", case, 1, seconds=3600)
    await ben.say(case, "Which dose?", sort="question")
    asked = {"room": case, "text": "How old?", "sort": "question", "cid": new_cid()}
    assert (await ben.refused("say", **asked))["code"] == "slow_mode"
    await ben.say(case, "She is allergic to it.", sort="warning")


async def test_in_a_frozen_room_all_read_and_nobody_writes(house: House) -> None:
    ana = await house.guest("ana", WARD)
    seq = (await ana.say(WARD, "Before."))["seq"]
    question = {"room": WARD, "question": "Which?", "choices": ["This", "That"]}
    poll = (await ana.ask("poll", **question, cid=new_cid()))["seq"]
    await house.moderate("freeze", WARD, 1, reason="harassment")
    ben = await house.guest("ben", WARD)
    told = await ana.hears("event", room=WARD, kind="mod.mode", reason="harassment")
    assert (told["mode"], told["by"]) == ({"slow": 0, "frozen": True}, {"role": "moderator"})
    place = {"room": WARD, "cid": new_cid()}
    tried = [
        await ana.refused("say", **place, text="More."),
        await ana.refused("edit", **place, seq=seq, text="Otherwise."),
        await ben.refused("react", **place, seq=seq, emoji="👍", on=True),
        await ben.refused("vote", **place, seq=poll, choices=[0]),
        await ben.refused("poll", **question, cid=new_cid()),
    ]
    assert {each["code"] for each in tried} == {"frozen"}
    assert (await _served(ben, WARD, seq))["text"] == "Before."
    await ana.ask("redact", **place, seq=seq)
    await house.moderate("freeze", WARD, 1, on=False)
    await ana.say(WARD, "After.")


async def test_a_closed_case_takes_no_opinions_any_more(house: House) -> None:
    ana = await house.guest("ana")
    case = await _case(ana)
    ben = await house.guest("ben", case)
    await house.moderate("close", case, 1, reason="not_a_doctor")
    closed = await ben.hears("event", room=case, kind="mod.close")
    assert (closed["by"], closed["reason"]) == ({"role": "moderator"}, "not_a_doctor")
    opinion = {"room": case, "ranked": ["Angina"], "cid": new_cid()}
    assert (await ben.refused("opine", **opinion))["code"] == "frozen"
    mara = await _mara(house)
    asked = {"act": "close", "reason": "other", "cid": new_cid()}
    assert (await mara.refused("moderate", room=case, **asked))["code"] == "frozen"
    assert (await mara.refused("moderate", room=WORLD, **asked))["code"] == "invalid"


async def test_a_talk_is_closed_on_what_one_of_the_two_reported(house: House) -> None:
    ana, ben = await house.guest("ana", WORLD), await house.guest("ben", WORLD)
    seq = (await ana.say(WORLD, "Who would talk?"))["seq"]
    talk = (await ben.ask("talk", room=WORLD, seq=seq, cid=new_cid()))["talk"]
    await ana.ask("talk_answer", talk=talk, accept=True, cid=new_cid())
    await ana.join(talk)
    await ben.join(talk)
    bad = (await ben.say(talk, "Buy my tapirs."))["seq"]
    mara = await _mara(house)
    asked = {"room": talk, "seq": bad, "act": "close", "reason": "advertising"}
    assert (await mara.refused("moderate", **asked, cid=new_cid()))["code"] == "not_found"
    await ana.ask("report", room=talk, seq=bad, kind="advertising", cid=new_cid())
    await mara.ask("moderate", **asked, cid=new_cid())
    await ben.hears("event", room=talk, kind="mod.close")
    again = await ben.refused("say", room=talk, text="And now?", cid=new_cid())
    assert again["code"] == "frozen"
    assert (await ben.join(talk))["mode"]["frozen"] is True


async def test_what_is_pinned_is_told_to_who_joins_and_what_is_hidden_no_longer_is(
    house: House,
) -> None:
    ana = await house.guest("ana", WORLD)
    seqs = [(await ana.say(WORLD, f"Pinned {n}."))["seq"] for n in range(6)]
    for seq in seqs[:5]:
        await house.moderate("pin", WORLD, seq)
    ben = await house.guest("ben")
    assert (await ben.join(WORLD))["pins"] == seqs[:5]
    mara = await _mara(house)
    sixth = {"room": WORLD, "seq": seqs[5], "act": "pin", "cid": new_cid()}
    assert (await mara.refused("moderate", **sixth))["code"] == "invalid"
    await house.moderate("pin", WORLD, seqs[0], on=False)
    await ben.hears("event", room=WORLD, kind="mod.pin", target=seqs[0], on=False)
    await house.moderate("hide", WORLD, seqs[1])
    assert (await ben.join(WORLD))["pins"] == seqs[2:5]
    async with house.lounge.database.reading() as connection:
        number = await house.lounge.conversation.number(WORLD)
        assert (await moderating.mode_of(connection, number)).pins == tuple(seqs[2:5])


# -- modes, as a process knows them --------------------------------------------------------------


async def test_what_was_heard_of_a_mode_outlives_an_older_reading(house: House) -> None:
    """A poll may have looked before the commit that is heard while it reads."""
    modes, name = Modes(house.lounge.database), "specialty/neurology"
    await house.moderate("slow", name, 1, seconds=60)
    async with house.lounge.database.reading() as connection:
        await modes.read(connection)
        assert modes.of(name).slow == 60
        modes.hear(name, [_heard(name, 99, Mode(0, True)), _pinned(name, 100, 7)])
        await modes.read(connection)
    assert (modes.of(name).frozen, modes.of(name).pins) == (True, (7,))
    await house.moderate("slow", name, 1, seconds=0)


async def test_what_is_heard_in_the_middle_of_a_reading_outlives_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes, name, pins = Modes(house.lounge.database), "specialty/nephrology", moderating.pins
    await house.moderate("freeze", name, 1)

    async def thawed_meanwhile(*given: Any) -> Any:
        modes.hear(name, [_heard(name, 99, Mode(0, True)), _heard(name, 100, Mode(0, False))])
        return await pins(*given)

    monkeypatch.setattr(moderating, "pins", thawed_meanwhile)
    async with house.lounge.database.reading() as connection:
        await modes.read(connection)
    assert not modes.of(name).frozen
    await house.moderate("freeze", name, 1, on=False)


# -- purging -------------------------------------------------------------------------------------


async def test_what_is_purged_is_gone_with_all_that_was_kept_about_it(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    ben = await house.guest("ben", WORLD)
    said = await ana.say(WORLD, "The Pangolinova from the bakery.", not_patient=True)
    place = {"room": WORLD, "seq": said["seq"]}
    await ana.ask("edit", **place, cid=new_cid(), text="The Pangolinova.", not_patient=True)
    note = "I know the Pangolinova."
    await ben.ask("report", **place, cid=new_cid(), kind="other", note=note, not_patient=True)
    await house.moderate("purge", **place, reason="patient_identifiable")
    act = await ben.hears("event", room=WORLD, kind="redact", target=said["seq"])
    assert (act["by"], act["reason"]) == ({"role": "moderator"}, "patient_identifiable")
    assert await _body(house, WORLD, said["seq"]) is None
    assert await _found(ben, "Pangolinova") == []
    async with house.lounge.database.reading() as connection:
        for table in entry.metadata.sorted_tables:
            rows = (await connection.execute(select(table))).all()
            assert "Pangolinova" not in str(rows), table.name
            assert b"Pangolinova" not in b"".join(_bytes(rows)), table.name


async def test_what_its_author_took_back_can_still_be_purged(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    ben = await house.guest("ben", WORLD)
    place = {"room": WORLD, "seq": (await ana.say(WORLD, "The numbat again."))["seq"]}
    note = {"kind": "other", "note": "Known to us all: the numbat."}
    await ben.ask("report", **place, cid=new_cid(), **note)
    await ana.ask("redact", **place, cid=new_cid())
    await house.moderate("purge", **place)
    async with house.lounge.database.reading() as connection:
        for table in entry.metadata.sorted_tables:
            assert "numbat" not in str((await connection.execute(select(table))).all())


@pytest.mark.parametrize("by_card", [False, True])
async def test_of_a_purged_case_nothing_is_left_of_what_was_kept_about_its_cards(
    house: House, by_card: bool
) -> None:
    ana, ben = await house.guest("ana"), await house.guest("ben", WARD)
    case = await _case(ana, f"A quokkalgia {by_card}?")
    async with house.lounge.database.reading() as connection:
        cards = {card.room_id: card for card in await consults.cards(connection, case)}
    card = cards[await house.lounge.conversation.number(WARD)]
    await ben.join(case)
    places = [(case, 1), (WARD, card.seq)]
    for room_id, seq in places:
        note = {"kind": "other", "note": "The quokkalgia of ours."}
        await ben.ask("report", room=room_id, seq=seq, cid=new_cid(), **note)
        await house.moderate("pin", room_id, seq)
    await house.moderate("purge", *places[by_card])
    async with house.lounge.database.reading() as connection:
        those = select(report.c.id, report.c.note).where(
            report.c.seq == card.seq, report.c.room_id == card.room_id
        )
        [(id, note_left)] = (await connection.execute(those)).all()
        assert note_left is None
        assert await evidence.of(connection, [id]) == {}
        for table in entry.metadata.sorted_tables:
            assert "quokkalgia of" not in str((await connection.execute(select(table))).all())
        assert (await moderating.mode_of(connection, card.room_id)).pins == ()


async def test_a_purged_page_leaves_its_words_with_nobody_whom_it_alerted(house: House) -> None:
    ana, ben = await house.guest("ana", "me"), await house.guest("ben")
    asked = {"role": await role(house, {"primary": ["ana"]}), "urgency": "now"}
    page = (await ben.ask("page", **asked, text="Quollitis?", cid=new_cid()))["room"]
    card = await ana.hears("event", room="me", notice="page", about=page)
    assert card["text"] == "Quollitis?"
    await ana.ask("page_answer", room=page, accept=True, cid=new_cid())
    await ana.join(page)
    await ana.ask("report", room=page, seq=1, kind="patient_identifiable", cid=new_cid())
    await house.moderate("purge", page, 1)
    await ana.hears("event", room="me", notice="page_purged", about=page)
    assert "text" not in await _served(ana, "me", card["seq"])
    again = await house.guest("ana")
    await again.join("me", since=card["seq"] - 1)
    told = await again.hears("event", room="me", seq=card["seq"])
    assert "text" not in told
    assert (await _served(ben, page, 1))["kind"] == "tombstone"


async def test_the_audit_knows_each_act_by_its_role_and_place_alone(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    seq = (await ana.say(WORLD, "Wombatol."))["seq"]
    terms = {"room": WORLD, "seq": seq}
    await house.moderate("pin", **terms)
    await house.moderate("hide", **terms, note="Not wombatol.")
    await house.moderate("restore", **terms)
    await house.moderate("purge", **terms)
    async with house.lounge.database.reading() as connection:
        rows = (await connection.execute(select(lounge_audit).order_by(lounge_audit.c.seq))).all()
    about = [row for row in rows if row.about == f"{WORLD} {seq}"]
    assert [row.act for row in about] == [
        *("entry.pinned", "entry.hidden", "entry.restored", "entry.purged"),
    ]
    assert {row.by for row in about} == {"moderator"}
    assert "ombatol" not in str(about)


# -- who may -------------------------------------------------------------------------------------


async def test_only_moderators_moderate(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    seq = (await ana.say(WORLD, "As before."))["seq"]
    for name in ("ana", "dan"):
        guest = await house.guest(name)
        asked = {"room": WORLD, "seq": seq, "act": "hide", "reason": "other", "cid": new_cid()}
        assert (await guest.refused("moderate", **asked))["code"] == "forbidden"
    assert (await _served(ana, WORLD, seq))["text"] == "As before."


# -- privates ------------------------------------------------------------------------------------


async def _mara(house: House) -> Guest:
    """The moderator of `House.moderate`, who speaks nowhere."""
    await house.doctor("mara", country="GB", specialty="internal-medicine", roles=["moderator"])
    return await house.guest("mara")


async def _case(asker: Guest, question: str = "Lyse or wait?") -> str:
    asked = {"question": question, "specialties": ["cardiology"], "cid": new_cid()}
    case: str = (await asker.ask("consult", **asked))["consult"]
    return case


async def _hidden_by_crowd(house: House, room_id: str, seq: int) -> None:
    hiding = house.lounge.moderating.hiding
    seat = await house.lounge.conversation.seat_above(NOBODY, room_id)
    why = Why("crowd", "advertising", pending=True)
    plan = await hiding.hide(seat, seq, await hiding.standing(seat, seq), why)
    assert plan.draft is not None
    await house.lounge.house_acts.do(seat.number, [plan.draft], plan.steps, letters=plan.letters)


async def _slow(house: House, room_id: str, seconds: int) -> None:
    await house.moderate("slow", room_id, 1, seconds=seconds)


async def _tried(guest: Guest) -> dict[str, Any]:
    ref = await guest.send("say", room=WARD, text="Mine.", cid=new_cid())
    return await guest.sees(lambda f: f.get("ref") == ref)


async def _body(house: House, room_id: str, seq: int) -> bytes | None:
    here = entry.join(room, room.c.id == entry.c.room_id)
    query = select(entry.c.body).select_from(here)
    async with house.lounge.database.reading() as connection:
        found = query.where(room.c.slug == room_id, entry.c.seq == seq)
        body: bytes | None = (await connection.execute(found)).scalar()
        return body


def _bytes(rows: Any) -> list[bytes]:
    return [bytes(cell) for row in rows for cell in row if isinstance(cell, bytes | memoryview)]


def _body_of(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if name != "room"}


def _heard(room_id: str, seq: int, mode: Mode) -> Item:
    place = {"room": room_id, "seq": seq, "id": "x", "at": "2026-01-01T00:00:00Z"}
    event = ModModeEvent(**place, mode=mode, by=Office("moderator"))  # type: ignore[arg-type]
    return Item(seq, "x", 0, encode(event))


def _pinned(room_id: str, seq: int, target: int) -> Item:
    place = {"room": room_id, "seq": seq, "id": "x", "at": "2026-01-01T00:00:00Z"}
    by = Office("moderator")
    event = ModPinEvent(**place, target=target, by=by, on=True)  # type: ignore[arg-type]
    return Item(seq, "x", 0, encode(event))
