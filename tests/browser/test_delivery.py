"""Nothing is lost and nothing doubled, whatever becomes of the line; and the page says which is so."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Opens
from tests.browser.line import Frame, Line
from tests.browser.window import Window
from tests.support import House, until

WORLD = "/rooms/world"


async def on_a_line(opens: Opens, name: str = "ana") -> tuple[Window, Line]:
    """A doctor in the room `world` whose line is in our hands."""
    window = await opens()
    line = await Line.of(window.page)
    await window.signs_in(name, WORLD)
    await window.is_live()
    return window, line


async def test_a_doctor_who_lost_the_network_comes_back_without_a_hole(
    house: House, opens: Opens
) -> None:
    ana = await opens("ana", WORLD)
    await ana.is_live()
    ben = await house.guest("ben", "world")
    await ben.say("world", "said before the tunnel")
    await ana.sees("said before the tunnel")
    await ana.loses_network()
    await expect(ana.page.locator(".status")).to_contain_text("No network")
    await ana.sends("written in the tunnel")
    await expect(ana.unsent("written in the tunnel")).to_contain_text("not yet stored")
    for n in range(5):
        await ben.say("world", f"said in the tunnel, {n}")
    await ana.regains_network()
    for n in range(5):
        await ana.sees(f"said in the tunnel, {n}")
    await ana.sees("written in the tunnel")
    await expect(ana.unsent("written in the tunnel")).to_have_count(0)
    seqs = await ana.seqs()
    assert seqs == sorted(set(seqs))


async def test_a_line_that_breaks_is_mended_from_where_it_stood(house: House, opens: Opens) -> None:
    ana, line = await on_a_line(opens)
    ben = await house.guest("ben", "world")
    said = await ben.say("world", "the last before the break")
    await ana.sees("the last before the break")
    line.inward = lambda frame: None
    await line.breaks()
    line.passes()
    await ben.say("world", "the first after the break")
    await ana.sees("the first after the break")
    again = [join for join in line.commands("join") if join["room"] == "world"][-1]
    assert (again["since"], again["last"]) == (said["seq"], said["id"])


@pytest.mark.long
async def test_a_line_that_died_silently_is_found_out_at_once_when_the_network_returns(
    opens: Opens,
) -> None:
    ana, line = await on_a_line(opens)
    line.inward = lambda frame: None
    await ana.page.evaluate("dispatchEvent(new Event('online'))")
    await until(lambda: line.opened == 2)
    line.passes()
    await line.breaks()
    await ana.says("heard again")


@pytest.mark.long
async def test_what_is_not_answered_is_pending_and_says_so(opens: Opens) -> None:
    ana, line = await on_a_line(opens)
    kept: list[Frame] = []
    line.outward = lambda frame: kept.append(frame) if frame["op"] == "say" else frame
    await ana.sends("on its way")
    await expect(ana.unsent("on its way")).to_contain_text("Being sent: not yet stored")
    await expect(ana.stored("on its way")).to_have_count(0)
    line.passes()
    await line.breaks()
    await ana.sees("on its way")
    await expect(ana.unsent("on its way")).to_have_count(0)
    assert kept[0]["cid"] == line.commands("say")[-1]["cid"]


async def test_a_message_whose_answer_was_lost_stands_there_once(
    house: House, opens: Opens
) -> None:
    ana, line = await on_a_line(opens)
    ben = await house.guest("ben", "world")
    line.inward = lambda frame: None if frame.get("ref") and "id" in frame else frame
    await ana.sends("stored, but the answer was lost")
    await ana.sees("stored, but the answer was lost")
    await expect(ana.unsent("stored, but the answer was lost")).to_have_count(0)
    await line.breaks()
    line.passes()
    await until(lambda: any(frame.get("duplicate") for frame in line.heard))
    await ana.says("and another one")
    await expect(ana.stored("stored, but the answer was lost")).to_have_count(1)
    heard = [event["text"] for event in ben.events["world"] if event["kind"] == "say"]
    assert heard.count("stored, but the answer was lost") == 1


@pytest.mark.long
async def test_saying_the_same_twice_makes_two_and_each_stands_once(opens: Opens) -> None:
    ana, ben = await opens("ana", WORLD), await opens("ben", WORLD)
    await ben.is_live()
    for _ in range(2):
        await ana.sends("yes, twice")
    for window in (ana, ben):
        await expect(window.stored("yes, twice")).to_have_count(2)
    await expect(ana.unsent("yes, twice")).to_have_count(0)


async def test_a_reload_sends_what_was_pending_under_the_same_cid(opens: Opens) -> None:
    ana, line = await on_a_line(opens)
    line.outward = lambda frame: None if frame["op"] == "say" else frame
    await ana.sends("written just before the reload")
    await expect(ana.unsent("written just before the reload")).to_have_count(1)
    await until(lambda: len(line.commands("say")) == 1)
    line.passes()
    await ana.page.reload()
    await ana.sees("written just before the reload")
    first, second = line.commands("say")
    assert first["cid"] == second["cid"]


async def test_what_failed_says_why_and_is_sent_on_request(opens: Opens) -> None:
    ana, line = await on_a_line(opens)

    def refuse(frame: Frame) -> Frame | None:
        if frame["op"] != "say":
            return frame
        why = "The lounge cannot store anything just now."
        line.answers({"op": "error", "ref": frame["ref"], "code": "storage", "message": why})
        return None

    line.outward = refuse
    await ana.sends("the disk is full")
    row = ana.unsent("the disk is full")
    await expect(row).to_contain_text("Not sent. The lounge cannot store anything just now.")
    line.passes()
    await row.get_by_role("button", name="Try again").click()
    await ana.sees("the disk is full")
    await expect(row).to_have_count(0)


@pytest.mark.long
async def test_what_failed_can_be_discarded(opens: Opens) -> None:
    ana, line = await on_a_line(opens)

    def refuse(frame: Frame) -> Frame | None:
        if frame["op"] != "say":
            return frame
        line.answers({"op": "error", "ref": frame["ref"], "code": "muted", "message": "Muted."})
        return None

    line.outward = refuse
    await ana.sends("never mind")
    await ana.unsent("never mind").get_by_role("button", name="Discard").click()
    await expect(ana.unsent("never mind")).to_have_count(0)
    await ana.page.reload()
    await ana.is_live()
    await expect(ana.unsent("never mind")).to_have_count(0)


@pytest.mark.long
async def test_being_too_quick_is_waited_out_and_the_order_is_kept(opens: Opens) -> None:
    ana, line = await on_a_line(opens)

    def slow(frame: Frame) -> Frame | None:
        if frame["op"] != "say":
            return frame
        line.passes()
        error = {"op": "error", "ref": frame["ref"], "code": "rate_limited", "retry_after": 1}
        line.answers(error | {"message": "Too quick."})
        return None

    line.outward = slow
    await ana.sends("the first of two")
    await ana.sends("the second of two")
    await expect(ana.unsent("the first of two")).to_contain_text(
        re.compile(r"Too quick\. It will be tried again by itself in \d seconds?\.")
    )
    first, second = await ana.sees("the first of two"), await ana.sees("the second of two")
    order = [int(await row.get_attribute("data-seq") or 0) for row in (first, second)]
    assert order == sorted(order)


async def test_a_missing_entry_is_noticed_by_counting_and_fetched(
    house: House, opens: Opens
) -> None:
    ana, line = await on_a_line(opens)
    ben = await house.guest("ben", "world")
    line.inward = lambda frame: None if frame.get("text") == "swallowed by the line" else frame
    await ben.say("world", "swallowed by the line")
    line.passes()
    await ben.say("world", "arrived after it")
    await ana.sees("swallowed by the line")
    await ana.sees("arrived after it")
    seqs = await ana.seqs()
    assert seqs == sorted(set(seqs))


@pytest.mark.long
async def test_a_log_that_is_not_the_one_we_knew_is_shown_anew_and_said(
    house: House, opens: Opens
) -> None:
    ana, line = await on_a_line(opens)
    ben = await house.guest("ben", "world")
    await ben.say("world", "known to both logs")
    await ana.sees("known to both logs")
    line.outward = lambda frame: frame | ({"last": "x" * 16} if "last" in frame else {})
    await line.breaks()
    await expect(ana.page.locator(".room-notice")).to_contain_text("has changed on the server")
    line.passes()
    await ana.sees("known to both logs")


@pytest.mark.long
async def test_a_room_that_cannot_be_entered_just_now_is_tried_again(opens: Opens) -> None:
    ana, line = await on_a_line(opens)

    def refuse_once(frame: Frame) -> Frame | None:
        if frame["op"] != "join":
            return frame
        line.passes()
        error = {"op": "error", "ref": frame["ref"], "code": "busy", "retry_after": 1}
        line.answers(error | {"message": "Busy."})
        return None

    line.outward = refuse_once
    await ana.listed("country/ca").click()
    await ana.is_live()
    assert len(line.commands("join")) == 3


@pytest.mark.long
async def test_a_session_that_ended_while_the_line_was_down_leads_to_the_door(opens: Opens) -> None:
    ana, line = await on_a_line(opens)
    await ana.context.clear_cookies()
    await line.breaks()
    await expect(ana.page.get_by_role("alert")).to_contain_text("You were signed out.")
    await expect(ana.page.get_by_label("Password")).to_be_visible()


@pytest.mark.long
async def test_a_farewell_says_when_to_come_back(opens: Opens) -> None:
    ana, line = await on_a_line(opens)
    line.answers({"op": "bye", "reconnect_in": 0, "reason": "restart"})
    await line.breaks(4012)
    await until(lambda: line.opened == 2)
    await ana.says("after the restart")


async def test_a_server_that_does_not_understand_the_page_is_not_asked_again(opens: Opens) -> None:
    ana, line = await on_a_line(opens)
    await line.breaks(4510)
    await expect(ana.page.get_by_role("alert")).to_contain_text("no longer understand each other")
    assert line.opened == 1


@pytest.mark.long
async def test_another_doctor_on_the_same_device_neither_sees_nor_sends_what_was_left(
    opens: Opens,
) -> None:
    ana, line = await on_a_line(opens)
    line.outward = lambda frame: None if frame["op"] == "say" else frame
    await ana.sends("left behind, unsent")
    await expect(ana.unsent("left behind, unsent")).to_have_count(1)
    await ana.writes("left behind, a draft")
    await ana.context.clear_cookies()
    line.passes()
    await ana.signs_in("ben", WORLD)
    await ana.is_live()
    await expect(ana.field).to_have_value("")
    await ana.says("ben speaks")
    await expect(ana.page.locator("message-log")).not_to_contain_text("left behind")
    assert [frame["text"] for frame in line.commands("say")] == [
        "left behind, unsent",
        "ben speaks",
    ]
