"""Pages by the hundred, to nothing, and about what is not one's own: each is answered, and nobody is rung."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from lounge.limits import PAGES
from tests.hostile.attack import masked, somebody, write
from tests.oncall import role
from tests.support import Guest, House, new_cid, until

pytestmark = pytest.mark.parametrize("house", ["sqlite"], indirect=True, scope="package")

MANY = 100
FIRST = 1_000
"""Of their refs: the others are the guest's own."""


async def test_of_a_hundred_pages_a_minute_few_ring_and_the_others_are_told_to_wait(
    house: House, mallory: Guest
) -> None:
    names = [somebody() for _ in range(3)]
    called = [await house.guest(name, "me") for name in names]
    neurology = await role(house, {"primary": names})
    fields = {"role": neurology, "urgency": "now", "text": "Anybody?", "override": "He is worse."}
    mallory._ops |= dict.fromkeys(range(FIRST, FIRST + MANY), "page")
    frames = (
        json.dumps({"op": "page", **fields, "cid": new_cid(), "ref": n})
        for n in range(FIRST, FIRST + MANY)
    )
    for each in frames:  # one after the other: more than 32 at once are busy for another reason
        write(mallory, masked(0x81, each.encode()))
        await asyncio.sleep(0)
    await until(lambda: len(_answers(mallory)) == MANY)
    codes = Counter(each.get("code", "ok") for each in _answers(mallory))
    assert codes["ok"] == PAGES.amount
    assert codes.keys() <= {"ok", "rate_limited", "busy"}
    waits = [each for each in _answers(mallory) if each.get("code") == "rate_limited"]
    assert all(0 < each["retry_after"] <= 60 for each in waits)
    assert waits
    rooms = {each["room"] for each in _answers(mallory) if each["op"] == "ok"}
    for guest in called:
        await house.lounge.relay.carry()
        await guest.ask("ping")
        rung = [each["about"] for each in guest.events["me"] if each["notice"] == "page"]
        assert set(rung) == rooms
        assert len(rung) == len(rooms)


async def test_nobody_tells_a_page_that_is_anothers_from_one_that_there_is_not(
    house: House, mallory: Guest
) -> None:
    name, asker = somebody(), await house.guest(somebody())
    neurology = await role(house, {"primary": [name]})
    asked = {"role": neurology, "urgency": "now", "text": "Basilar occlusion.", "cid": new_cid()}
    there = (await asker.ask("page", **asked))["room"]
    for op, fields in (
        ("join", {}),
        ("history", {"after": 0}),
        ("search", {"q": "occlusion"}),
        ("say", {"text": "Me!", "cid": new_cid()}),
        ("read", {"seq": 1}),
        ("page_answer", {"accept": True, "cid": new_cid()}),
        ("page_answer", {"accept": False, "cid": new_cid()}),
        ("page_mark", {"mark": "seen"}),
        ("page_end", {"cid": new_cid()}),
    ):
        told = [await _told(mallory, op, room, fields) for room in (there, "page/" + "A" * 22)]
        assert told[0] == told[1], op
        assert told[0]["code"] in ("not_found", "not_joined"), op
    state = (await asker.join(there), asker.events[there][0]["state"])[1]
    assert (state["phase"], "seen" in state["stamps"]) == ("sent", False)


async def test_an_unknown_role_a_long_line_and_one_that_names_a_patient_ring_nobody(
    house: House, mallory: Guest
) -> None:
    name = somebody()
    called = await house.guest(name, "me")
    neurology = await role(house, {"primary": [name]})
    for fields, code in (
        ({"role": "r" * 16}, "not_found"),
        ({"text": "x" * 301}, "too_long"),
        ({"text": ""}, "invalid"),
        ({"text": "Call jeanne@example.org about her."}, "held_privacy"),
    ):
        asked = {"role": neurology, "urgency": "now", "text": "Words.", "cid": new_cid(), **fields}
        assert (await mallory.refused("page", **asked))["code"] == code, fields
    await house.lounge.relay.carry()
    await called.ask("ping")
    assert called.events.get("me", []) == []


async def _told(guest: Guest, op: str, room: str, fields: dict[str, Any]) -> dict[str, Any]:
    answer = await guest.refused(op, room=room, **fields)
    return {name: value for name, value in answer.items() if name != "ref"}


def _answers(guest: Guest) -> list[dict[str, Any]]:
    return [
        each for each in guest.frames if isinstance(each.get("ref"), int) and each["ref"] >= FIRST
    ]
