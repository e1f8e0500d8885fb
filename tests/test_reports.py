"""What doctors report: how much it weighs, what enough of them do at once, and what they never do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select

from lounge.moderating.accuracy import weight
from lounge.moderating.duty import Staff
from lounge.moderating.scopes import About
from storage.schema import evidence, report
from tests.backends import addresses
from tests.queue import EITHER, at, judge, judged, moderator, new_room, reports, seated
from tests.queue import report as reports_it
from tests.support import House, new_cid, open_house

WRITTEN = "The trial is in the journal of last month."


@pytest.fixture(scope="module", params=EITHER)
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("reports")
    async with (
        addresses(request) as urls,
        open_house(folder, redis_url, bench=True, **urls) as house,
    ):
        await house.doctor("moira")
        yield house


async def said(house: House, room: str, name: str = "ana", text: str = WRITTEN) -> int:
    author = await seated(house, name, room)
    seq: int = (await author.say(room, text))["seq"]
    return seq


async def kept_of(house: House, room: str) -> int:
    """How many copies of what was said there are kept."""
    number = await house.lounge.conversation.number(room)
    those = select(report.c.id).where(report.c.room_id == number)
    query = select(func.count()).where(evidence.c.report.in_(those))
    async with house.lounge.database.reading() as connection:
        return int((await connection.execute(query)).scalar_one())


# -- weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "wrong", "weighs"),
    [
        (0, 0, 1),
        (4, 0, 1),
        (0, 4, 1),
        (5, 0, 2),
        (0, 5, 0),
        (4, 1, 2),
        (3, 2, 1),
        (1, 4, 1),
        (1, 5, 0),
    ],
)
def test_a_report_weighs_as_much_as_its_reporter_has_been_right(
    right: int, wrong: int, weighs: int
) -> None:
    assert weight([True] * right + [False] * wrong) == weighs


async def test_once_more_about_the_same_is_the_same_report(house: House) -> None:
    room = new_room()
    seq = await said(house, room)
    ben = await seated(house, "ben", room)
    place = {"room": room, "seq": seq, "kind": "harassment"}
    first, second = new_cid(), new_cid()
    await ben.ask("report", cid=first, **place)
    assert (await ben.ask("report", cid=second, **place))["duplicate"] is True
    assert (await ben.ask("report", cid=first, **place))["duplicate"] is True
    async with moderator(house, "moira") as moira:
        assert len(await reports(moira, room)) == 1


async def test_what_was_dismissed_weighs_less_and_what_was_upheld_more(house: House) -> None:
    room = new_room()
    seq = await said(house, room)
    await judge(house, "wrong", *[False] * 6)
    await judge(house, "right", *[True] * 6)
    for name in ("wrong", "right", "ben", "moira"):
        await reports_it(house, name, room, seq, "harassment")
    await judge(house, "moira", *[True] * 6)  # a moderator's own word is one all the same
    async with moderator(house, "mara") as mara:
        found = await reports(mara, room)
    assert sorted(each["weight"] for each in found) == [0, 1, 1, 2]
    assert {each["same"] for each in found} == {3}


# -- what a crowd hides --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["patient_identifiable", "advertising"])
async def test_enough_weight_hides_an_entry_and_its_author_sees_that_it_is_pending(
    house: House, kind: str
) -> None:
    room = new_room()
    seq = await said(house, room)
    ana = await seated(house, "ana", room, "me")
    for name in ("ben", "chiara"):
        await reports_it(house, name, room, seq, kind)
    assert (await at(ana, room, seq))["kind"] == "say"
    await reports_it(house, "denis", room, seq, kind)
    event = await ana.hears("event", room=room, kind="mod.hide", target=seq)
    assert (event["by"], event["reason"], event["pending"]) == ({"role": "crowd"}, kind, True)
    left = await at(ana, room, seq)
    assert (left["kind"], left["hidden"]["pending"]) == ("tombstone", True)
    assert left["hidden"]["by"] in {each["id"] for each in (await ana.join(room))["you"]}
    notice = await ana.hears("event", room="me", notice="hidden_pending", about=room)
    assert (notice["target"], notice["reason"]) == (seq, kind)


async def test_two_who_are_mostly_right_are_enough_and_those_who_never_are_never(
    house: House,
) -> None:
    room = new_room()
    seq = await said(house, room)
    ana = await seated(house, "ana", room)
    for n in range(4):
        await judge(house, f"never-{n}", *[False] * 9)
        await reports_it(house, f"never-{n}", room, seq, "advertising")
    await judge(house, "mostly-1", *[True] * 9)
    await judge(house, "mostly-2", *[True] * 9)
    await reports_it(house, "mostly-1", room, seq, "advertising")
    assert (await at(ana, room, seq))["kind"] == "say"
    await reports_it(house, "mostly-2", room, seq, "advertising")
    assert (await at(ana, room, seq))["kind"] == "tombstone"


async def test_many_at_once_hide_it_once(house: House) -> None:
    room = new_room()
    seq = await said(house, room)
    crowd = [await seated(house, f"crowd-{n}", room) for n in range(6)]
    place = {"room": room, "seq": seq, "kind": "advertising"}
    await asyncio.gather(*(each.ask("report", cid=new_cid(), **place) for each in crowd))
    last = (await crowd[0].join(room))["head"]
    await crowd[0].reaches(room, last)
    hides = [event for event in crowd[1].events[room] if event["kind"] == "mod.hide"]
    assert len(hides) == 1
    async with moderator(house, "moira") as moira:
        assert len(await reports(moira, room)) == 6


async def test_other_kinds_wait_for_a_moderator(house: House) -> None:
    room = new_room()
    seq = await said(house, room)
    for kind in ("harassment", "not_a_doctor", "other"):
        for name in ("ben", "chiara", "denis", "crowd-1"):
            guest = await reports_it(house, name, room, seq, kind)
    assert (await at(guest, room, seq))["kind"] == "say"


async def test_a_crowd_does_not_touch_what_a_moderator_wrote(house: House) -> None:
    room = new_room()
    seq = await said(house, room, "moira")
    for kind in ("advertising", "dangerous_advice"):
        for name in ("ben", "chiara", "denis", "crowd-1"):
            guest = await reports_it(house, name, room, seq, kind)
    assert (await at(guest, room, seq))["kind"] == "say"
    assert "caution" not in await at(guest, room, seq)


async def test_what_a_moderator_has_shown_again_no_crowd_hides(house: House) -> None:
    room = new_room()
    seq = await said(house, room)
    for name in ("ben", "chiara", "denis"):
        guest = await reports_it(house, name, room, seq, "advertising")
    await house.moderate("restore", room, seq)
    await reports_it(house, "crowd-1", room, seq, "advertising")
    assert (await at(guest, room, seq))["kind"] == "say"


# -- what a crowd disputes -----------------------------------------------------------------------


async def test_dangerous_advice_is_disputed_and_never_hidden(house: House) -> None:
    room = new_room()
    seq = await said(house, room)
    await reports_it(house, "ben", room, seq, "dangerous_advice", note="The dose is ten times.")
    await reports_it(house, "chiara", room, seq, "dangerous_advice")
    guest = await reports_it(house, "denis", room, seq, "dangerous_advice", note="Not in children.")
    event = await guest.hears("event", room=room, kind="mod.caution", target=seq)
    assert (event["by"], event["doctors"]) == ({"role": "crowd"}, 3)
    await reports_it(house, "crowd-1", room, seq, "dangerous_advice")
    now = await at(guest, room, seq)
    assert now["text"] == WRITTEN
    assert now["caution"] == {
        "doctors": 4,
        "why": ["The dose is ten times.", "Not in children."],
    }


async def test_a_note_is_shown_to_all_only_where_its_author_might_say_so_herself(
    house: House,
) -> None:
    room = new_room()
    seq = await said(house, room)
    muted = (await (await seated(house, "denis", room)).say(room, "Anything."))["seq"]
    await house.moderate("mute", room, muted, minutes=60)
    test = {"kind": "pattern", "pattern": "minerva"}
    rule = {"name": "Adverts", "action": "hold", "reason": "advertising", "test": test}
    async with moderator(house, "moira") as moira:
        made = await moira.post("/api/rules", json={**rule, "words": "No."})
        assert made.status_code == 201, made.text
    notes = {"denis": "All of this.", "ben": "Rather minerva.", "chiara": "The dose is too high."}
    for name, note in notes.items():
        guest = await reports_it(house, name, room, seq, "dangerous_advice", note=note)
    event = await guest.hears("event", room=room, kind="mod.caution", target=seq)
    assert (event["doctors"], event["why"]) == (3, ["The dose is too high."])


async def test_what_everybody_may_be_shown_of_a_report_keeps_to_the_soft_marks_too(
    house: House,
) -> None:
    room = new_room()
    seq = await said(house, room)
    ben = await seated(house, "ben", room)
    note = {"note": "Withdrawn on 12 March 2024.", "not_patient": True}
    place = {"room": room, "seq": seq, **note}
    refused = await ben.refused("report", cid=new_cid(), kind="dangerous_advice", **place)
    assert (refused["code"], refused["field"]) == ("held_privacy", "note")
    await ben.ask("report", cid=new_cid(), kind="harassment", **place)  # which moderators read


async def test_those_who_are_never_right_dispute_nothing(house: House) -> None:
    room = new_room()
    seq = await said(house, room)
    for n in range(4):
        await judge(house, f"never-{n}", *[False] * 9)
        guest = await reports_it(house, f"never-{n}", room, seq, "dangerous_advice")
    await reports_it(house, "ben", room, seq, "dangerous_advice")
    await reports_it(house, "chiara", room, seq, "dangerous_advice")
    assert "caution" not in await at(guest, room, seq)


# -- who is told ---------------------------------------------------------------------------------


async def test_the_first_urgent_report_tells_the_moderators_on_duty_and_no_other(
    house: House,
) -> None:
    room = new_room()
    seq = await said(house, room)
    async with (
        moderator(house, "mara") as mara,
        moderator(house, "mona") as mona,
        moderator(house, "moira") as moira,
    ):
        await mona.put("/api/duty", json={"minutes": 30})
        answer = await mara.put("/api/duty", json={"minutes": 30})
        assert answer.json()["until"] == (await mara.get("/api/duty")).json()["until"]
        assert (await moira.get("/api/duty")).json() == {}
        here, there = await seated(house, "mara", "me"), await seated(house, "moira", "me")
        await reports_it(house, "ben", room, seq, "dangerous_advice")
        notice = await here.hears("event", room="me", notice="report_urgent", about=room)
        assert (notice["target"], notice["reason"]) == (seq, "dangerous_advice")
        await mara.delete("/api/duty")
        other = new_room()
        second = await said(house, other)
        await reports_it(house, "ben", other, second, "patient_identifiable")
        await there.hears("event", room="me", notice="report_urgent", about=other)
        told = [each["about"] for each in there.events["me"] if each["notice"] == "report_urgent"]
        assert room not in told


def test_who_is_told_tells_nobody_who_wrote_or_reported_it() -> None:
    roles = dict.fromkeys(("mara", "mona", "moira"), frozenset({"moderator"}))
    one, two = Staff(roles, frozenset({"mara"})), Staff(roles, frozenset({"mara", "mona"}))
    for but in (frozenset[str](), frozenset({"mara"}), frozenset({"moira"})):
        assert set(one.told(About("world"), but=but)) == roles.keys() - but
        assert set(two.told(About("world"), but=but)) == {"mara", "mona"} - but
    assert two.told(About("world"), but=frozenset({"mara", "mona"})) == ["moira"]


async def test_a_doctor_who_is_no_moderator_has_no_duty(house: House) -> None:
    async with house.http(await house.token("ben")) as ben:
        assert (await ben.put("/api/duty", json={"minutes": 30})).status_code == 403


async def test_a_reporter_is_told_the_outcome_and_her_next_report_weighs_accordingly(
    house: House,
) -> None:
    room = new_room()
    seq = await said(house, room)
    fay = await reports_it(house, "fay", room, seq, "harassment")
    await fay.join("me")
    async with moderator(house, "moira") as moira:
        [found] = await reports(moira, room)
        await moira.post(f"/api/reports/{found['id']}/claim")
        closed = await moira.post(f"/api/reports/{found['id']}/close", json={"outcome": "upheld"})
        assert closed.status_code == 204, closed.text
    notice = await fay.hears("event", room="me", notice="report_upheld", about=room)
    assert (notice["target"], notice["reason"]) == (seq, "harassment")
    assert await judged(house, "fay") == (True,)


# -- the sealed copy -----------------------------------------------------------------------------


async def test_what_was_reported_outlives_its_redaction_until_the_report_is_closed(
    house: House,
) -> None:
    room = new_room()
    seq = await said(house, room, text="You are a disgrace.")
    await reports_it(house, "ben", room, seq, "harassment")
    ana = await seated(house, "ana", room)
    await ana.ask("edit", room=room, seq=seq, cid=new_cid(), text="You are kind.")
    await ana.ask("redact", room=room, seq=seq, cid=new_cid())
    async with moderator(house, "moira") as moira:
        [found] = await reports(moira, room)
        assert (found["event"]["kind"], "evidence" in found) == ("tombstone", False)
        claimed = (await moira.post(f"/api/reports/{found['id']}/claim")).json()
        assert claimed["evidence"] == "You are a disgrace."
        assert (await reports(moira, room))[0]["evidence"] == "You are a disgrace."
        await moira.post(f"/api/reports/{found['id']}/close", json={"outcome": "upheld"})
    assert await kept_of(house, room) == 0


async def test_no_copy_is_kept_of_what_is_purged_while_it_is_reported(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, reporting = new_room(), house.lounge.moderating.reports
    seq = await said(house, room)
    looked, meanwhile = reporting._case, ["purge"]

    async def looked_before(*place: Any) -> Any:
        case = await looked(*place)
        if meanwhile:
            await house.moderate(meanwhile.pop(), room, seq)
        return case

    monkeypatch.setattr(reporting, "_case", looked_before)
    await reports_it(house, "ben", room, seq, "other")
    assert (meanwhile, await kept_of(house, room)) == ([], 0)


async def test_no_copy_outlives_the_redaction_of_what_names_a_patient(house: House) -> None:
    room = new_room()
    seq = await said(house, room)
    await reports_it(house, "ben", room, seq, "harassment")
    await reports_it(house, "chiara", room, seq, "patient_identifiable")
    assert await kept_of(house, room) == 2
    ana = await seated(house, "ana", room)
    await ana.ask("redact", room=room, seq=seq, cid=new_cid())
    assert await kept_of(house, room) == 0


async def test_a_copy_is_sealed(house: House) -> None:
    room = new_room()
    await reports_it(house, "ben", room, await said(house, room), "harassment")
    async with house.lounge.database.reading() as connection:
        sealed = (await connection.execute(select(evidence.c.sealed))).scalars().all()
    assert sealed
    assert not any(WRITTEN.encode() in bytes(each) for each in sealed)
