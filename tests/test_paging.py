"""Pages: to whoever has the role, accepted by exactly one, escalated by themselves, never silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from lounge.clock import now_ms
from lounge.errors import Refusal
from lounge.oncall import moves
from lounge.oncall.policy import DEFAULT, Policy, Step, checked, decode, encode, for_urgency
from lounge.oncall.roles import Night
from lounge.words import LANGUAGES, say
from storage import due, pages, roles, sanctions
from storage.due import Due
from storage.pages import Page
from storage.schema import due as due_row
from tests.backends import addresses
from tests.oncall import NUMBER, id_of, role
from tests.stores import SQLITE_FIRST
from tests.support import Guest, House, Refused, new_cid, open_house

TEXT = "Basilar occlusion, NIHSS 18, last seen well 01:40."
_CALLED = ("ben", "chiara", "denis", "ana")


@pytest.fixture(scope="module", params=SQLITE_FIRST)
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("paging")
    async with (
        addresses(request) as urls,
        open_house(folder, redis_url, bench=True, **urls) as house,
    ):
        house.lounge.oncall.sending.admit = at_once  # one evening has more pages than a year
        yield house


async def at_once(*_: object) -> None:
    """Nobody is too busy."""


class OnCallNight:
    """Ben asks; Chiara has the role first, Denis second, Ana is in its tier."""

    def __init__(self, house: House, guests: dict[str, Guest]) -> None:
        self.house = house
        self.ben, self.chiara = guests["ben"], guests["chiara"]
        self.denis, self.ana = guests["denis"], guests["ana"]
        self.role = ""
        self.room = ""

    @classmethod
    async def falls(cls, house: House, policy: Policy = DEFAULT, **other: Any) -> OnCallNight:
        night = cls(house, await _guests(house))
        on = {"primary": ["chiara"], "secondary": ["denis"]}
        night.role = await role(house, on, members=["ana"], policy=policy, **other)
        return night

    async def pages(self, urgency: str = "now", **other: Any) -> dict[str, Any]:
        fields = {"role": self.role, "urgency": urgency, "text": TEXT, "cid": new_cid()}
        answer = await self.ben.ask("page", **{**fields, **other})
        self.room = answer["room"]
        await self.ben.join(self.room)
        return answer

    async def alerted(self, guest: Guest, **fields: Any) -> dict[str, Any]:
        return await guest.hears("event", notice="page", about=self.room, **fields)

    async def accepts(self, guest: Guest, **other: Any) -> dict[str, Any]:
        fields = {"room": self.room, "accept": True, "cid": new_cid()}
        return await guest.ask("page_answer", **{**fields, **other})

    async def declines(self, guest: Guest, reason: str = "busy") -> dict[str, Any]:
        fields = {"room": self.room, "accept": False, "reason": reason, "cid": new_cid()}
        return await guest.ask("page_answer", **fields)

    async def over(self, guest: Guest, **fields: Any) -> dict[str, Any]:
        return await guest.hears("event", notice="page_over", about=self.room, **fields)

    async def sees(self, phase: str) -> dict[str, Any]:
        """The state that the asker is shown, once it is in that phase."""

        def shows(frame: dict[str, Any]) -> bool:
            is_state = frame.get("kind") in ("page.open", "page.update")
            return bool(
                is_state and frame["room"] == self.room and frame["state"]["phase"] == phase
            )

        state: dict[str, Any] = (await self.ben.sees(shows))["state"]
        return state

    async def comes_due(self) -> None:
        await self.house.come_due(self.room)

    async def row(self) -> Page:
        async with self.house.lounge.database.reading() as connection:
            return (await pages.by_slug(connection, [self.room]))[self.room]

    async def waiting(self) -> list[Due]:
        async with self.house.lounge.database.reading() as connection:
            return await due.waiting(connection, self.room)

    async def told(self, guest: Guest) -> list[str]:
        """What the guest's log says of this page so far, in order; everything sent has arrived."""
        await self.house.lounge.relay.carry()
        await guest.ask("ping")
        mine = [each for each in guest.events.get("me", []) if each.get("about") == self.room]
        return [each["notice"] for each in mine]


async def _guests(house: House) -> dict[str, Guest]:
    """The same four in every test."""
    if not house.guests:
        for name in _CALLED:
            await house.guest(name, "me")
    return dict(zip(_CALLED, house.guests, strict=False))


# -- from the page to the end of the thread ------------------------------------------------------


async def test_a_page_goes_from_sent_to_closed_with_a_stamp_at_every_phase(house: House) -> None:
    night = await OnCallNight.falls(house)
    answer = await night.pages()
    assert (answer["phase"], answer["number"]) == ("sent", NUMBER)
    card = await night.alerted(night.chiara)
    assert (card["text"], card["urgency"], card["way"]) == (TEXT, "now", "page")
    assert (card["layer"], card["service"]) == ("primary", "Neurology, Thunder Bay Regional")
    await night.chiara.ask("page_mark", room=night.room, mark="delivered")
    await night.chiara.ask("page_mark", room=night.room, mark="seen")
    seen = await night.sees("seen")
    assert "accepted" not in seen["stamps"]
    await night.accepts(night.chiara)
    accepted = await night.sees("accepted")
    assert (accepted["layer"], "next" in accepted) == ("primary", False)
    await night.chiara.join(night.room)
    await night.chiara.say(night.room, "Send the CT angiogram; I am at a screen.")
    await night.sees("answered")
    said = await night.ben.hears("event", room=night.room, kind="say")
    assert said["by"]["as"] == "anonymous"
    await night.chiara.ask("page_end", room=night.room, cid=new_cid())
    stamps = (await night.sees("closed"))["stamps"]
    order = [stamps[each] for each in ("sent", "delivered", "seen", "accepted", "answered")]
    assert order == sorted(order)
    assert stamps["closed"] >= stamps["answered"]
    refused = await night.ben.refused("say", room=night.room, cid=new_cid(), text="Thank you.")
    assert refused["code"] == "frozen"
    assert (await night.ben.join(night.room))["mode"]["frozen"] is True


async def test_the_asker_finds_the_number_and_who_is_asked_in_the_first_entry(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages(formal=True)
    first = (await night.ben.reaches(night.room, 1))[0]
    assert (first["kind"], first["number"], first["name"]) == (
        "page.open",
        NUMBER,
        "Neurologist on call",
    )
    state = first["state"]
    assert (state["step"], state["steps"], state["layer"]) == (1, 3, "primary")
    assert (state["formal"], "next" in state) == (True, True)


async def test_whoever_looks_later_finds_the_page_as_it_stands(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.accepts(night.chiara)
    past = await night.ben.ask("history", room=night.room, after=0)
    opened = past["events"][0]
    assert opened["state"]["phase"] == "accepted"
    assert opened["as_of"] == past["head"]
    joined = await night.chiara.join(night.room)
    assert joined["you"][0]["as"] == "anonymous"


async def test_the_same_command_opens_one_page(house: House) -> None:
    night = await OnCallNight.falls(house)
    cid = new_cid()
    first = await night.pages(cid=cid)
    again = await night.pages(cid=cid)
    assert (again["room"], again.get("duplicate")) == (first["room"], True)
    assert await night.told(night.chiara) == ["page"]


async def test_the_two_are_found_in_their_lists_until_it_is_over(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.accepts(night.chiara)
    later = await house.guest("chiara")
    assert night.room in [each["id"] for each in later.welcome["rooms"]]
    await night.ben.ask("page_end", room=night.room, cid=new_cid())
    await night.chiara.join(night.room)
    later = await house.guest("chiara")
    assert night.room not in [each["id"] for each in later.welcome["rooms"]]


# -- exactly one ---------------------------------------------------------------------------------


async def test_of_two_who_accept_in_the_same_moment_one_does_and_the_other_is_told(
    house: House,
) -> None:
    night = await OnCallNight.falls(house)
    for _ in range(5):
        await night.pages()
        await night.comes_due()
        for guest in (night.chiara, night.denis):
            await night.alerted(guest)
        answers = await asyncio.gather(
            night.accepts(night.chiara), night.accepts(night.denis), return_exceptions=True
        )
        lost = [each for each in answers if isinstance(each, Refused)]
        assert [each.code for each in lost] == ["frozen"]
        by = say(
            f"page.layer.{(await night.row()).layer}", LANGUAGES[isinstance(answers[1], Refused)]
        )
        assert by in lost[0].frame["message"]
        for guest in (night.chiara, night.denis):
            await night.over(guest, phase="accepted")


async def test_accepting_again_is_the_same_and_tells_nobody_twice(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.accepts(night.chiara)
    assert (await night.accepts(night.chiara))["duplicate"] is True
    assert await night.told(night.ben) == ["page_accepted"]
    assert await night.told(night.chiara) == ["page", "page_over"]


async def test_her_own_other_devices_are_told_that_it_was_she(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.accepts(night.chiara)
    assert (await night.over(night.chiara))["own"] is True


async def test_whoever_was_alerted_reads_nothing_of_the_thread(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.comes_due()
    await night.accepts(night.denis)
    for guest in (night.chiara, night.ana):
        for op, fields in (
            ("join", {}),
            ("history", {"after": 0}),
            ("search", {"q": "occlusion"}),
            ("page_end", {"cid": new_cid()}),
        ):
            refused = await guest.refused(op, room=night.room, **fields)
            assert refused["code"] == "not_found"


async def test_whoever_was_not_alerted_neither_accepts_nor_marks(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    for guest in (night.ana, night.ben):
        answering = {"room": night.room, "accept": True, "cid": new_cid()}
        assert (await guest.refused("page_answer", **answering))["code"] == "not_found"
        refused = await guest.refused("page_mark", room=night.room, mark="seen")
        assert refused["code"] == "not_found"
    assert (await night.row()).phase == "sent"


async def test_a_gateway_accepts_as_she_would_herself(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    chiara, on_call = await id_of(house, "chiara"), house.lounge.oncall.pages
    assert await on_call.delivered_for(chiara, night.room) is False
    assert await on_call.accept_for(chiara, night.room) is False
    assert await on_call.accept_for(chiara, night.room) is True
    await night.sees("accepted")
    await night.chiara.join(night.room)


# -- escalation ----------------------------------------------------------------------------------


async def test_unaccepted_it_goes_on_to_the_next_layer_and_then_to_everyone(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.comes_due()
    await night.alerted(night.denis, layer="secondary")
    assert await night.told(night.ana) == []
    await night.comes_due()
    await night.alerted(night.ana, layer="everyone")
    assert (await night.row()).step == 2


async def test_past_the_last_step_the_asker_is_told_whom_to_call(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    for _ in range(3):
        await night.comes_due()
    await night.sees("unanswered")
    told = await night.ben.hears("event", notice="page_unanswered", about=night.room)
    assert told["number"] == NUMBER
    await night.over(night.chiara, phase="unanswered")
    with pytest.raises(Refused, match="frozen"):
        await night.accepts(night.chiara)
    assert await night.waiting() == []


async def test_a_step_that_two_processes_take_is_done_once(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    step = next(each for each in await night.waiting() if each.kind == moves.STEP)
    doing = house.lounge.oncall.escalation.handle[moves.STEP]
    await asyncio.gather(*(doing(step) for _ in range(5)))
    assert (await night.row()).step == 1
    assert await night.told(night.denis) == ["page"]
    assert len(await night.waiting()) == 1


async def test_a_step_whose_owner_died_is_anothers_once_its_lease_is_over(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    step, now = (await night.waiting())[0], now_ms()
    taken = {"at": now - 3_000, "leased": now - 1}  # by a process that is no more
    async with house.lounge.database.writing() as connection:
        await connection.execute(update(due_row).where(due_row.c.id == step.id).values(**taken))
    await night.alerted(night.denis)  # by the loop itself
    assert await night.told(night.denis) == ["page"]


async def test_a_step_that_comes_as_somebody_accepts_alerts_nobody_more(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    step = (await night.waiting())[0]
    await night.accepts(night.chiara)
    await house.lounge.oncall.escalation.handle[moves.STEP](step)
    assert await night.told(night.denis) == []
    assert (await night.row()).state == "accepted"


async def test_once_all_of_a_step_have_declined_the_next_comes_without_waiting(
    house: House,
) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.declines(night.chiara, "busy")
    assert (await night.over(night.chiara, phase="declined"))["own"] is True
    await night.alerted(night.denis)
    await night.comes_due()
    await night.alerted(night.ana)
    assert (await night.told(night.chiara)).count("page") == 1  # she is not asked again
    assert (await night.row()).declined == 1


async def test_an_empty_rota_is_said_at_once_with_the_number(house: House) -> None:
    night = await OnCallNight.falls(house)
    night.role = await role(house, {})
    answer = await night.pages()
    assert (answer["phase"], answer["number"]) == ("unanswered", NUMBER)
    assert await night.waiting() == []


async def test_where_nobody_has_the_role_yet_the_answer_says_from_when(house: House) -> None:
    night = await OnCallNight.falls(house)
    policy = Policy((Step(("primary",), 120),))
    day = datetime.now(UTC).date() + timedelta(days=2)
    night.role = await role(house, {"primary": ["chiara"]}, policy=policy, since=day)
    answer = await night.pages()
    assert answer["phase"] == "unanswered"
    assert answer["next"].startswith(str(day))
    told = await night.ben.hears("event", notice="page_unanswered", about=night.room)
    assert (told["number"], told["until"]) == (NUMBER, answer["next"])


async def test_an_empty_layer_is_not_waited_for(house: House) -> None:
    night = await OnCallNight.falls(house)
    night.role = await role(house, {"secondary": ["denis"]})
    await night.pages()
    await night.alerted(night.denis)
    assert (await night.row()).step == 1


async def test_who_asks_is_not_alerted_to_her_own_page(house: House) -> None:
    night = await OnCallNight.falls(house)
    on = {"primary": ["ben"], "secondary": ["denis"]}
    night.role = await role(house, on)
    await night.pages()
    await night.alerted(night.denis)
    assert await night.told(night.ben) == []


async def test_it_is_repeated_until_it_is_answered(house: House) -> None:
    policy = Policy((Step(("primary",), 120, repeat_s=30), Step(("secondary",), 120)))
    night = await OnCallNight.falls(house, policy)
    await night.pages()
    repeat = next(each for each in await night.waiting() if each.kind == moves.REPEAT)
    doing = house.lounge.oncall.escalation.handle[moves.REPEAT]
    await doing(repeat)
    await doing(repeat)  # taken twice, done once
    assert await night.told(night.chiara) == ["page", "page"]
    await night.accepts(night.chiara)
    assert [each.kind for each in await night.waiting()] == [moves.SILENCE, moves.CLOSE]


async def test_a_step_for_everyone_waits_for_each_of_them(house: House) -> None:
    policy = Policy((Step(("everyone",), 120, repeat_s=30, everyone=True),))
    night = await OnCallNight.falls(house, policy)
    await night.pages()
    await night.accepts(night.denis)
    accepted = await night.sees("accepted")
    assert (accepted["acknowledged"], accepted["wanted"]) == (1, 3)
    assert "page_over" not in await night.told(night.chiara)
    repeat = next(each for each in await night.waiting() if each.kind == moves.REPEAT)
    await house.lounge.oncall.escalation.handle[moves.REPEAT](repeat)
    assert await night.told(night.chiara) == ["page", "page_taken", "page"]
    await night.accepts(night.chiara)
    await night.accepts(night.ana)
    row = await night.row()
    assert (row.acknowledged, row.state) == (3, "accepted")
    assert [each.kind for each in await night.waiting()] == [moves.SILENCE, moves.CLOSE]
    assert (await night.chiara.refused("join", room=night.room))["code"] == "not_found"
    await night.denis.join(night.room)


async def test_who_must_acknowledge_is_told_that_another_accepted(house: House) -> None:
    policy = Policy((Step(("everyone",), 120, repeat_s=30, everyone=True),))
    night = await OnCallNight.falls(house, policy)
    await night.pages()
    assert "phase" not in await night.alerted(night.chiara)
    await night.accepts(night.denis)
    taken = await night.chiara.hears("event", notice="page_taken", about=night.room)
    assert (taken["phase"], taken["layer"]) == ("accepted", "secondary")
    repeat = next(each for each in await night.waiting() if each.kind == moves.REPEAT)
    await house.lounge.oncall.escalation.handle[moves.REPEAT](repeat)
    await night.alerted(night.chiara, phase="accepted")
    await night.accepts(night.chiara)
    assert (await night.over(night.chiara))["own"] is True
    assert "page_taken" not in await night.told(night.denis)


async def test_who_must_acknowledge_may_also_say_no(house: House) -> None:
    night = await OnCallNight.falls(house, Policy((Step(("everyone",), 120, everyone=True),)))
    await night.pages()
    await night.accepts(night.denis)
    await night.declines(night.chiara)
    with pytest.raises(Refused, match="frozen"):
        await night.declines(night.denis)
    row = await night.row()
    assert (row.state, row.declined, row.acknowledged) == ("accepted", 1, 1)


async def test_a_step_that_reaches_nobody_by_any_channel_is_not_waited_for(house: House) -> None:
    night = await OnCallNight.falls(house)
    denis, parts = await id_of(house, "denis"), house.lounge.oncall.steps
    was = parts.working

    async def only_denis(_: object) -> set[str]:
        return {denis}

    parts.working = only_denis
    try:
        await night.pages()
    finally:
        parts.working = was
    await night.alerted(night.chiara)  # she may look at her screen all the same
    await night.alerted(night.denis)
    assert (await night.row()).step == 1


# -- by other ways than a socket -----------------------------------------------------------------


async def test_one_command_over_http_accepts_in_no_room(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    command = {"op": "page_answer", "ref": 1, "accept": True, "cid": new_cid(), "room": night.room}
    async with house.http(house.passes["chiara"]) as http:
        answer = await http.post("/api/commands", json=command)
        listed = (await http.get("/api/rooms")).json()["rooms"]
    assert answer.json() == {"op": "ok", "ref": 1}
    assert [each["kind"] for each in listed if each["id"] == night.room] == ["page"]
    await night.sees("accepted")


async def test_a_moderator_hides_what_was_asked_once_it_is_reported(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.accepts(night.chiara)
    await night.chiara.join(night.room)
    moira = await house.guest("moira")
    assert (await moira.refused("join", room=night.room))["code"] == "not_found"
    reporting = {"room": night.room, "seq": 1, "kind": "other", "cid": new_cid()}
    await night.chiara.ask("report", **reporting)
    await house.moderate("hide", night.room, 1, reason="patient_identifiable")
    await night.ben.hears("event", room=night.room, kind="mod.hide")
    past = await night.ben.ask("history", room=night.room, after=0)
    assert past["events"][0]["kind"] == "tombstone"
    assert TEXT not in str(past)
    again = await night.ben.refused("page_answer", room=night.room, accept=True, cid=new_cid())
    assert again["code"] == "not_found"


# -- waiting -------------------------------------------------------------------------------------


def tonight() -> Night:
    """A night that it is now, in Toronto or anywhere."""
    now = datetime.now(UTC).astimezone()
    return Night(f"{now - timedelta(hours=1):%H:%M}", f"{now + timedelta(hours=1):%H:%M}")


async def test_what_is_routine_waits_for_the_morning(house: House) -> None:
    night = await OnCallNight.falls(house, night=tonight(), zone="UTC")
    answer = await night.pages("routine")
    assert (answer["phase"], "until" in answer) == ("waiting", True)
    assert await night.told(night.chiara) == []
    await night.comes_due()
    await night.alerted(night.chiara)
    assert "until" not in await night.sees("sent")


async def test_with_a_reason_it_does_not_wait(house: House) -> None:
    night = await OnCallNight.falls(house, night=tonight(), zone="UTC")
    answer = await night.pages("routine", override="The patient leaves at six.")
    assert answer["phase"] == "sent"
    first = (await night.ben.reaches(night.room, 1))[0]
    assert first["overridden"] == "The patient leaves at six."


async def test_what_is_urgent_does_not_wait(house: House) -> None:
    night = await OnCallNight.falls(house, night=tonight(), zone="UTC")
    assert (await night.pages("now"))["phase"] == "sent"
    assert (await night.pages("today"))["phase"] == "sent"


# -- ends ----------------------------------------------------------------------------------------


async def test_who_asked_withdraws_until_it_is_accepted(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.alerted(night.chiara)
    await night.ben.ask("page_end", room=night.room, cid=new_cid())
    await night.sees("withdrawn")
    await night.over(night.chiara, phase="withdrawn")
    with pytest.raises(Refused, match="frozen"):
        await night.accepts(night.chiara)
    assert await night.waiting() == []


async def test_it_closes_by_itself(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.accepts(night.chiara)
    await night.comes_due()
    await night.sees("closed")
    again = await night.ben.refused("page_end", room=night.room, cid=new_cid())
    assert again["code"] == "frozen"


async def test_who_accepts_and_says_nothing_leaves_the_asker_with_a_number(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.accepts(night.chiara)
    silence = next(each for each in await night.waiting() if each.kind == "page.silence")
    await night.house.lounge.oncall.dues.handle[silence.kind](silence)
    told = await night.ben.hears("event", notice="page_unanswered", about=night.room)
    assert told["number"] == NUMBER
    assert (await night.row()).state == "accepted"


async def test_a_word_in_time_and_the_asker_is_not_told_to_call(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.accepts(night.chiara)
    await night.chiara.join(night.room)
    await night.chiara.say(night.room, "On my way.")
    await night.sees("answered")
    await night.comes_due()
    assert "page_unanswered" not in await night.told(night.ben)


async def test_accepting_and_closing_without_a_word_is_no_way_to_bury_a_page(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.accepts(night.chiara)
    await night.chiara.ask("page_end", room=night.room, cid=new_cid())
    told = await night.ben.hears("event", notice="page_unanswered", about=night.room)
    assert told["number"] == NUMBER


async def test_whoever_was_taken_off_the_role_answers_for_it_no_more(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.alerted(night.chiara)
    async with house.lounge.identity_database.writing() as connection:
        await roles.drop_member(connection, night.role, await id_of(house, "chiara"))
    await house.lounge.oncall.roles.changed(night.role)
    with pytest.raises(Refused, match="not_found"):
        await night.accepts(night.chiara)
    assert (await night.row()).state == "sent"


async def test_whoever_is_muted_accepts_neither_here_nor_through_a_gateway(house: House) -> None:
    night = await OnCallNight.falls(house)
    await night.pages()
    await night.alerted(night.chiara)
    chiara = await id_of(house, "chiara")
    until = now_ms() + 60_000
    made = house.lounge.sanctions.new(chiara, None, room=None, until=until, reason="harassment")
    async with house.lounge.database.writing() as connection:
        await sanctions.add(connection, made)
    await house.lounge.sanctions.refresh()
    try:
        with pytest.raises(Refused, match="muted"):
            await night.accepts(night.chiara)
        with pytest.raises(Refusal, match="muted"):
            await house.lounge.oncall.pages.accept_for(chiara, night.room)
        assert (await night.row()).state == "sent"
        await house.lounge.oncall.pages.decline_for(chiara, night.room)
    finally:
        async with house.lounge.database.writing() as connection:
            await sanctions.lift(connection, made.id)
        await house.lounge.sanctions.refresh()


# -- what is refused -----------------------------------------------------------------------------


async def test_an_unknown_role_and_a_rule_that_keeps_one_out(house: House) -> None:
    night = await OnCallNight.falls(house)
    fields = {"urgency": "now", "text": TEXT}
    refused = await night.ben.refused("page", role="nobody", cid=new_cid(), **fields)
    assert refused["code"] == "not_found"
    closed = await role(house, {}, rule='country == "CA"')
    refused = await night.ben.refused("page", role=closed, cid=new_cid(), **fields)
    assert refused["code"] == "forbidden"


async def test_a_line_that_leads_to_a_person_is_held(house: House) -> None:
    night = await OnCallNight.falls(house)
    fields = {"role": night.role, "urgency": "now", "cid": new_cid()}
    refused = await night.ben.refused("page", text="Call ana@example.test at once", **fields)
    assert (refused["code"], refused["field"]) == ("held_privacy", "text")
    refused = await night.ben.refused("page", text="x" * 301, **fields)
    assert refused["code"] == "too_long"


async def test_whoever_may_enter_no_room_pages_nobody(house: House) -> None:
    night = await OnCallNight.falls(house)
    dan = await house.guest("dan")
    fields = {"role": night.role, "urgency": "now", "text": TEXT, "cid": new_cid()}
    assert (await dan.refused("page", **fields))["code"] == "forbidden"


# -- policies ------------------------------------------------------------------------------------


def test_what_is_less_urgent_waits_longer_between_the_same_steps() -> None:
    waits = {urgency: for_urgency(DEFAULT, urgency).steps[0].wait_s for urgency in ("now", "today")}
    assert waits == {"now": 120, "today": 600}
    assert decode(encode(DEFAULT)) == DEFAULT


@pytest.mark.parametrize(
    "policy",
    [
        Policy(()),
        Policy((Step(("primary",), 120),) * 11),
        Policy((Step(("primary",), 120),), rounds=0),
        Policy((Step((), 120),)),
        Policy((Step(("nobody",), 120),)),
        Policy((Step(("primary",), 1),)),
        Policy((Step(("primary",), 120, repeat_s=59),)),
        Policy((Step(("primary",), 24 * 3600, repeat_s=60),)),
    ],
)
def test_a_policy_that_nobody_could_follow_is_refused(policy: Policy) -> None:
    with pytest.raises(Exception, match="invalid"):
        checked(policy, ("primary", "secondary"))
