"""Accepted formally: names and numbers to the two and to nobody else, one's own number in their thread."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from lounge.guard import examine
from lounge.oncall.calls import Address, sealed_address
from lounge.oncall.formal import shown, without
from storage import reaches
from storage.reaches import Reach
from storage.schema import LOUNGE
from tests.oncall import id_of, role
from tests.support import Guest, House, new_cid, open_house

_numbers = count(1)
SERVICE = "Neurology, Thunder Bay Regional"
OWN = "+18076846000"
BENS = "+12125550142"
OTHERS = "514-555-0123"
PATIENT = "943 476 5919"  # with the check digits of the British one


# -- the exemption -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    ["807-684-6000", "(807) 684-6000", "+1 807 684 6000", "+18076846000", "8076846000"],
)
def test_ones_own_number_passes_however_it_is_written(written: str) -> None:
    text = f"Call me on {written}, please."
    spared = without(text, OWN)
    assert len(spared) == len(text)
    assert examine(text).spans
    assert examine(spared).spans == ()


@pytest.mark.parametrize(
    "text",
    [
        f"Call him on {OTHERS}.",
        f"His number is {PATIENT}.",
        "Call 1807684600099 or 98076846000123",
    ],
)
def test_no_other_number_passes_with_it(text: str) -> None:
    assert examine(without(text, OWN)) == examine(text)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (f"Me 807-684-6000, the family {OTHERS}.", OTHERS),
        ("Call me on 807-684-6000 ext. 9434765919", "9434765919"),
    ],
)
def test_what_is_held_beside_it_is_where_it_stands_in_the_text(text: str, other: str) -> None:
    held = examine(without(text, OWN)).spans
    assert [text[span.start : span.end] for span in held] == [other]


def test_without_a_number_nothing_is_spared() -> None:
    assert without("Call me on 807-684-6000.", "") == "Call me on 807-684-6000."
    assert without("Call me on 807-684-6000.", "nonsense") == "Call me on 807-684-6000."


def test_a_number_is_shown_as_one_reads_it() -> None:
    assert shown(OWN) == "+1 807-684-6000"
    assert shown("nonsense") == "nonsense"


# -- exchanged -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("formal")
    async with open_house(folder, redis_url) as house:
        yield house


@dataclass(slots=True)
class Paged:
    """Ben has paged the role that Chiara has."""

    ben: Guest
    chiara: Guest
    room: str


async def paged(house: House, *, formal: bool, numbers: tuple[str, str] = (BENS, OWN)) -> Paged:
    n = next(_numbers)
    names = {name: f"{name}-{n}" for name in ("ben", "chiara")}
    ben, chiara = [await house.guest(each, "me") for each in names.values()]
    for name, number in zip(names.values(), numbers, strict=True):
        await verify(house, name, number)
    id = await role(house, {"primary": [names["chiara"]]})
    fields = {"urgency": "now", "text": "Basilar occlusion.", "cid": new_cid()}
    room = (await ben.ask("page", role=id, formal=formal, **fields))["room"]
    await chiara.hears("event", kind="notice", notice="page", about=room)
    return Paged(ben, chiara, room)


async def verify(house: House, name: str, number: str) -> None:
    """The doctor has confirmed that she is reached under that number."""
    keys, doctor_id = house.lounge.keys.identity, await id_of(house, name)
    id = secrets.token_urlsafe(9)
    sealed = sealed_address(keys, id, Address(to=number))
    row = Reach(id, doctor_id, "voice", secrets.token_bytes(16), sealed)
    async with house.lounge.identity_database.writing() as connection:
        await reaches.add(connection, row)
        await reaches.try_out(connection, id, b"code", 1)
        assert await reaches.confirm(connection, id, b"code", 0, 2)


async def accepted(two: Paged, *, formal: bool) -> dict[str, Any]:
    """The state once she has accepted."""
    fields = {"room": two.room, "accept": True, "formal": formal, "cid": new_cid()}
    await two.chiara.ask("page_answer", **fields)
    await two.ben.join(two.room)
    await two.chiara.join(two.room)
    event = await two.ben.sees(
        lambda frame: (
            frame.get("room") == two.room and frame.get("state", {}).get("phase") == "accepted"
        )
    )
    state: dict[str, Any] = event["state"]
    return state


async def test_accepted_formally_each_is_told_the_others_name_service_and_number(
    house: House,
) -> None:
    two = await paged(house, formal=True)
    assert (await accepted(two, formal=True))["formal"] is True
    to_ben = await two.ben.hears("event", kind="notice", notice="page_formal", about=two.room)
    to_chiara = await two.chiara.hears("event", kind="notice", notice="page_formal")
    assert to_ben["name"].startswith("Dr Chiara")
    assert (to_ben["service"], to_ben["number"]) == (SERVICE, shown(OWN))
    assert to_chiara["name"].startswith("Dr Ben")
    assert to_chiara["number"] == shown(BENS)
    assert "service" not in to_chiara


@pytest.mark.parametrize(("asker", "acceptor"), [(True, False), (False, True), (False, False)])
async def test_without_the_consent_of_both_it_stays_informal(
    house: House, asker: bool, acceptor: bool
) -> None:
    two = await paged(house, formal=asker)
    assert (await accepted(two, formal=acceptor))["formal"] is False
    await two.ben.hears("event", kind="notice", notice="page_accepted", about=two.room)
    for guest in (two.ben, two.chiara):
        assert not [e for e in guest.events["me"] if e["notice"] == "page_formal"]
    held = await two.chiara.refused("say", room=two.room, text=f"Call {OWN}.", cid=new_cid())
    assert held["code"] == "held_privacy"


async def test_in_the_formal_thread_ones_own_number_is_said_and_nobody_elses(
    house: House,
) -> None:
    two = await paged(house, formal=True)
    await two.ben.join(two.room)
    early = await two.ben.refused("say", room=two.room, text=f"Call {BENS}.", cid=new_cid())
    assert early["code"] == "held_privacy"
    await accepted(two, formal=True)
    await two.ben.say(two.room, f"Call {BENS}.")
    said = await two.chiara.say(two.room, "Call me on 807-684-6000.")
    await two.ben.reaches(two.room, said["seq"])
    text = f"Call me on 807-684-6000, the family is on {OTHERS}."
    held = await two.chiara.refused("say", room=two.room, text=text, cid=new_cid())
    assert held["code"] == "held_privacy"
    assert [text[each["start"] : each["end"]] for each in held["spans"]] == [OTHERS]
    bens = await two.ben.refused("say", room=two.room, text=f"Call {OWN}.", cid=new_cid())
    assert bens["code"] == "held_privacy"
    edit = {"room": two.room, "seq": said["seq"], "cid": new_cid()}
    await two.chiara.ask("edit", **edit, text="Call me on +1 (807) 684-6000, not before ten.")
    await two.chiara.join("world")
    there = await two.chiara.refused("say", room="world", text=f"Call {OWN}.", cid=new_cid())
    assert there["code"] == "held_privacy"


async def test_who_they_are_lies_in_no_entry_and_no_row_of_the_lounge_store(
    house: House,
) -> None:
    numbers = ("+12125550143", "+18076846001")  # nobody says them
    two = await paged(house, formal=True, numbers=numbers)
    await accepted(two, formal=True)
    await two.ben.hears("event", kind="notice", notice="page_formal", about=two.room)
    async with house.lounge.database.reading() as connection:
        for table in LOUNGE.sorted_tables:
            held = repr((await connection.execute(select(table))).all())
            assert "Canaryfeather" not in held, table.name
            assert not [each for each in (*numbers, *map(shown, numbers)) if each in held]
