"""Roles on call: who makes and keeps them, who is on them, and where a rota does not hold."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from typer.testing import CliRunner

from lounge import demo
from lounge.errors import Refusal
from lounge.events import rfc3339
from lounge.oncall.changes import Changes, Wish
from lounge.oncall.keeping import OPERATOR, Keeping, Kept, NewRole
from lounge.oncall.members import Members
from lounge.oncall.policy import DEFAULT
from lounge.oncall.roles import Night, Role, Roles
from lounge.oncall.rosters import Rosters
from lounge.oncall.rota import Layer, Rota, Rule
from lounge.rooms import open_catalogue
from storage import audit, roles
from storage.identity_schema import identity_audit
from tests.stores import SQLITE_FIRST, START, Clock, Stores, add_ana, doctor_by, open_either
from tests.support import House, open_house
from web.cli import main

HOUR_MS = 3_600_000
SERVICE = "Neurology, Thunder Bay Regional"
NEW = {
    "service": SERVICE,
    "name": "Neurologist on call",
    "specialty": "neurology",
    "zone": "America/Toronto",
    "number": "+18075550142",
}


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("roles"), redis_url, bench=True) as house:
        await house.doctor("rita", roles=["registrar"])
        yield house


@pytest.fixture(scope="module")
async def doors() -> AsyncIterator[dict[str, httpx2.AsyncClient]]:
    """Each doctor's, opened once."""
    doors: dict[str, httpx2.AsyncClient] = {}
    yield doors
    for door in doors.values():
        await door.aclose()


@dataclass(slots=True)
class Service:
    """A role made for one test, and those who look at it."""

    house: House
    doors: dict[str, httpx2.AsyncClient]
    id: str = ""

    async def door(self, name: str) -> httpx2.AsyncClient:
        if name not in self.doors:
            self.doors[name] = self.house.http(await self.house.token(name))
        return self.doors[name]

    async def sheet(self, name: str = "ana") -> dict[str, Any]:
        """The role as one of them sees it."""
        return _ok(await (await self.door(name)).get(f"/api/roles/{self.id}"))

    async def line(self, name: str = "denis") -> dict[str, Any]:
        """The role as one who has nothing to do with it sees it."""
        return await self.sheet(name)

    async def put(self, by: str = "ana", **kept: Any) -> httpx2.Response:
        role = await self.house.lounge.oncall.roles.find(self.id)
        assert role
        body = {"version": role.version, **kept}
        return await (await self.door(by)).put(f"/api/roles/{self.id}", json=body)

    async def members(self, by: str, **body: Any) -> httpx2.Response:
        return await (await self.door(by)).post(f"/api/roles/{self.id}/members", json=body)

    async def joins(self, *names: str) -> None:
        """They were asked, and agreed."""
        for name in names:
            await self.door(name)
            id = await self.doctor_id(name)
            async with self.house.lounge.identity_database.writing() as connection:
                await roles.put_member(connection, self.id, id, START)

    async def change(self, by: str, kind: str, **body: Any) -> httpx2.Response:
        body = {"kind": kind, "ends": _in(8), **body}
        return await (await self.door(by)).post(f"/api/roles/{self.id}/changes", json=body)

    async def answer(self, by: str, change: str, said: str) -> httpx2.Response:
        path = f"/api/roles/{self.id}/changes/{change}"
        return await (await self.door(by)).post(path, json={"answer": said})

    async def who(self, name: str) -> str:
        """Her id in this role."""
        rosters = self.house.lounge.oncall.rosters
        return rosters.member_id(self.id, await self.doctor_id(name))

    async def doctor_id(self, name: str) -> str:
        found = await self.house.lounge.doctors.id_of(await self.house.doctor(name))
        assert found
        return found

    async def on(self, layer: str = "primary") -> list[str]:
        """Who has it now, by name."""
        duty = await self.house.lounge.oncall.roles.duty(self.id)
        by_id = {await self.doctor_id(name): name for name in self.doors}
        return [by_id[each] for each in duty.on.get(layer, ())]

    async def told(self, name: str) -> list[str]:
        """The notices of this role in her log."""
        notices = await self.house.lounge.notices.page(await self.doctor_id(name))
        return [str(n.notice["notice"]) for n in notices if n.notice.get("role") == self.id]

    async def on_rota(self, *turns: str, layer: str = "primary") -> None:
        """These take weekly turns; the first of them has it now."""
        doctors = [[await self.who(name)] for name in turns]
        since = datetime.now(UTC).date() - timedelta(days=2)
        rule = {"doctors": doctors, "from": str(since), "at": "00:00", "every": "weeks"}
        rota = {"layers": [{"name": layer, "rules": [rule]}]}
        assert (await self.put(rota=rota)).status_code == 204


@pytest.fixture
async def service(house: House, doors: dict[str, httpx2.AsyncClient]) -> Service:
    """Kept by Ana; nobody is on it yet."""
    service = Service(house, doors)
    rita, keeper = await service.door("rita"), await house.doctor("ana")
    service.id = _ok(await rita.post("/api/roles", json={**NEW, "keeper": keeper}), 201)["id"]
    return service


# -- making and keeping --------------------------------------------------------------------------


async def test_a_registrar_makes_a_role_and_nobody_else_does(service: Service) -> None:
    body = {**NEW, "keeper": await service.house.doctor("ana")}
    refused = await (await service.door("ana")).post("/api/roles", json=body)
    assert refused.status_code == 403
    line = await service.line("denis")
    assert (line["service"], line["number"]) == (SERVICE, "+1 807-555-0142")
    assert line["mine"] is None
    assert (await service.line("ana"))["mine"] == "keeper"
    assert await service.told("ana") == ["role_kept"]
    listed = _ok(await (await service.door("denis")).get("/api/roles"))["roles"]
    assert line in listed


async def test_an_empty_rota_says_at_once_that_nobody_has_it(service: Service) -> None:
    line = await service.line()
    assert (line["covered"], line["reachable"], line["load"]) == (False, False, "unknown")
    assert "next" not in line
    assert line["number"]


async def test_a_role_whose_doctor_comes_later_says_when(service: Service) -> None:
    await service.joins("ben")
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    rule = {"doctors": [[await service.who("ben")]], "from": str(tomorrow), "at": "23:00"}
    assert (
        await service.put(rota={"layers": [{"name": "primary", "rules": [rule]}]}, zone="Etc/UTC")
    ).status_code == 204
    line = await service.line()
    assert line["covered"] is False
    assert line["next"] == f"{tomorrow}T23:00:00.000Z"


async def test_only_its_keeper_changes_a_role(service: Service) -> None:
    await service.joins("ben")
    for name in ("ben", "denis", "rita"):
        assert (await service.put(name, number="+442079460018")).status_code == 403
    assert (await service.put(number="+442079460018")).status_code == 204
    assert (await service.line())["number"] == "+44 20 7946 0018"


async def test_a_role_that_was_changed_meanwhile_is_not_overwritten(service: Service) -> None:
    ana, body = await service.door("ana"), {"version": 1, "zone": "Europe/Paris"}
    assert (await ana.put(f"/api/roles/{service.id}", json=body)).status_code == 204
    late = await ana.put(f"/api/roles/{service.id}", json={**body, "zone": "Asia/Kolkata"})
    assert _error(late) == (403, "frozen")
    assert (await service.sheet())["zone"] == "Europe/Paris"


async def test_what_is_left_out_stays_as_it_was(service: Service) -> None:
    await service.put(rule='specialty == "cardiology"', night={"from": "23:00", "to": "06:00"})
    await service.put(zone="Europe/London")
    sheet = await service.sheet()
    assert sheet["rule"] == 'specialty == "cardiology"'
    assert sheet["night"] == {"from": "23:00", "to": "06:00"}
    assert sheet["policy"]["steps"][0]["to"] == ["primary"]


async def test_the_rule_says_who_may_page(service: Service) -> None:
    assert (await service.line("denis"))["may_page"] is True
    await service.put(rule='specialty == "cardiology"')
    assert (await service.line("denis"))["may_page"] is False
    assert (await service.line("ana"))["may_page"] is True


async def test_a_registrar_gives_it_another_keeper_or_closes_it(service: Service) -> None:
    chiara = await service.house.doctor("chiara")
    assert (await service.put("rita", keeper=chiara)).status_code == 204
    assert (await service.line("chiara"))["mine"] == "keeper"
    path, body = f"/api/roles/{service.id}", {"version": 2, "closed": True}
    assert (await (await service.door("rita")).put(path, json=body)).status_code == 204
    for name in ("ana", "chiara", "denis"):
        assert (await (await service.door(name)).get(path)).status_code == 404
    assert await service.house.lounge.oncall.roles.find(service.id) is None


CANNOT_BE: tuple[dict[str, Any], ...] = (
    {"zone": "Mars/Olympus"},
    {"zone": "../../etc/passwd"},
    {"number": "555"},
    {"number": "call the desk"},
    {"rule": "doctors.all()"},
    {"rule": "specialty"},
    {"rule": '"---------------------------------------!" =~ "(-+)+$"'},
    {"rule": "$range(999999999).is_empty"},
    {"rule": "[a for a in [b for b in roles]].is_empty"},
    {"version": 10**30},
    {"night": {"from": "25:00", "to": "07:00"}},
    {"policy": {"steps": []}},
    {"rota": {"layers": [{"name": "primary", "rules": [{"doctors": [["x"]], "at": "08:00"}]}]}},
    {"version": "one"},
)


async def test_what_cannot_be_is_refused_in_words(service: Service) -> None:
    for kept in CANNOT_BE:
        refused = await service.put(**kept)
        assert _error(refused) == (400, "invalid"), kept
        assert refused.json()["error"]["message"]
    assert (await service.sheet())["version"] == 1


async def test_a_role_that_cannot_be_is_not_made(service: Service) -> None:
    rita, keeper = await service.door("rita"), await service.house.doctor("ana")
    for wrong in (
        {"service": " "},
        {"service": "x" * 101},
        {"name": "Neuro\u202elogist"},
        {"specialty": "phrenology"},
        {"zone": "Nowhere"},
        {"number": "8075550142"},
        {"rule": "1 +"},
    ):
        refused = await rita.post("/api/roles", json={**NEW, "keeper": keeper, **wrong})
        assert _error(refused) == (400, "invalid"), wrong
    for held in ({"name": "Neurology 416-555-0199"}, {"service": "Chart no. 4471882"}):
        refused = await rita.post("/api/roles", json={**NEW, "keeper": keeper, **held})
        assert _error(refused) == (403, "held_privacy"), held
    unknown = await rita.post("/api/roles", json={**NEW, "keeper": "nobody@example.test"})
    assert _error(unknown) == (404, "not_found")


# -- members -------------------------------------------------------------------------------------


async def test_whoever_is_asked_is_on_it_only_once_she_agrees(service: Service) -> None:
    await service.members("ana", email=await service.house.doctor("ben"))
    assert (await service.line("ben"))["mine"] == "asked"
    assert (await service.sheet())["members"] == []
    assert await service.told("ben") == ["role_asked"]
    assert (await service.members("ben", agrees=True)).status_code == 204
    assert [each["name"] for each in (await service.sheet())["members"]] == ["Dr Ben Canaryfeather"]
    assert "role_agreed" in await service.told("ana")


async def test_a_keeper_learns_nothing_of_an_address_that_nobody_has(service: Service) -> None:
    answers = [
        await service.members("ana", email=email)
        for email in (
            "nobody@example.test",
            await service.house.doctor("chiara"),
            await service.house.doctor("dan"),
        )
    ]
    assert len({(each.status_code, each.content) for each in answers}) == 1
    assert (await service.sheet())["members"] == []


async def test_whoever_says_no_is_asked_no_more_and_stays_unknown_to_the_keeper(
    service: Service,
) -> None:
    await service.members("ana", email=await service.house.doctor("ben"))
    assert (await service.members("ben", agrees=False)).status_code == 204
    assert (await service.line("ben")).get("mine") is None
    assert "role_declined" not in await service.told("ana")


async def test_a_rule_that_cannot_be_answered_for_somebody_keeps_her_out_and_harms_nobody(
    service: Service,
) -> None:
    kept = await service.put(rule='country != "CA" or country[9] == "x"')
    assert kept.status_code in (200, 204)
    assert (await service.line("ben"))["may_page"] is True
    assert (await service.line("denis"))["may_page"] is False


async def test_whoever_was_not_asked_does_not_join(service: Service) -> None:
    assert (await service.members("denis", agrees=True)).status_code == 404
    assert (await service.members("denis", email="a@b.test")).status_code == 403
    assert (await service.members("ana", email="a@b.test", agrees=True)).status_code == 400


async def test_names_are_for_members_and_the_keeper_alone(service: Service) -> None:
    await service.joins("ben", "chiara")
    await service.on_rota("ben", "chiara")
    await service.change("chiara", "until")
    seen = await service.sheet("chiara")
    assert {each["name"] for each in seen["members"]} == {
        "Dr Ben Canaryfeather",
        "Dr Chiara Canaryfeather",
    }
    for name in ("denis", "rita"):
        door = await service.door(name)
        for path in ("/api/roles", f"/api/roles/{service.id}"):
            text = (await door.get(path)).text
            assert "Canaryfeather" not in text
            assert await service.who("ben") not in text
        assert not {"rota", "members", "shifts", "changes"} & (await service.sheet(name)).keys()


async def test_no_answer_holds_a_doctors_own_id(service: Service) -> None:
    await service.joins("ben", "ana")
    await service.on_rota("ben", "ana")
    await service.change("ana", "until")
    ids = [await service.doctor_id(name) for name in ("ana", "ben")]
    for name in ("ana", "ben", "denis"):
        door = await service.door(name)
        for path in ("/api/roles", f"/api/roles/{service.id}"):
            text = (await door.get(path)).text
            assert not [id for id in ids if id in text]


async def test_a_keeper_hands_over_to_a_member_and_learns_of_nobody_else(service: Service) -> None:
    await service.joins("ben")
    answers = [
        await service.put(keeper=email)
        for email in ("nobody@example.test", await service.house.doctor("chiara"))
    ]
    assert len({(each.status_code, each.content) for each in answers}) == 1
    assert _error(answers[0]) == (404, "not_found")
    assert (await service.put(keeper=await service.house.doctor("ben"))).status_code == 204
    assert (await service.line("ben"))["mine"] == "keeper"


async def test_who_leaves_a_rota_is_on_no_shift_and_the_others_keep_their_turns(
    service: Service,
) -> None:
    await service.joins("ben", "chiara")
    await service.on_rota("ben", "chiara")
    hers = await service.who("chiara")
    before = [each for each in (await service.sheet())["shifts"] if each["doctors"] == [hers]]
    assert await service.on() == ["ben"]
    assert (await service.members("ben", agrees=False)).status_code == 204
    sheet = await service.sheet()
    assert [each for each in sheet["shifts"] if each["doctors"] == [hers]] == before
    assert sheet["rota"]["layers"][0]["rules"][0]["doctors"] == [[], [hers]]
    assert await service.on() == []
    assert (await service.line())["next"] == before[0]["starts"]


async def test_a_keeper_takes_a_member_off(service: Service) -> None:
    await service.joins("ben", "chiara")
    await service.on_rota("ben")
    ben = await service.who("ben")
    assert (await service.members("chiara", drop=ben)).status_code == 403
    assert (await service.members("ana", drop=ben)).status_code == 204
    assert await service.on() == []
    assert "role_dropped" in await service.told("ben")
    assert (await service.members("ana", drop=ben)).status_code == 404


async def test_nobody_is_put_on_a_rota_who_did_not_agree(service: Service) -> None:
    await service.members("ana", email=await service.house.doctor("ben"))
    ben = await service.who("ben")
    rule = {"doctors": [[ben]], "from": "2026-01-05", "at": "08:00"}
    refused = await service.put(rota={"layers": [{"name": "primary", "rules": [rule]}]})
    assert _error(refused) == (400, "invalid")


# -- where the rota does not hold ----------------------------------------------------------------


async def test_on_call_until_takes_one_tap_and_says_that_nothing_reaches_her(
    service: Service,
) -> None:
    await service.joins("ben", "chiara")
    await service.on_rota("ben")
    made = await service.change("chiara", "until")
    assert _ok(made, 201)["reachable"] is False
    assert await service.on() == ["chiara"]
    sheet = await service.sheet("chiara")
    (change,) = sheet["changes"]
    assert (change["kind"], change["mine"]) == ("until", "end")
    assert [each["why"] for each in sheet["shifts"]][:2] == ["until", "rota"]
    assert (await service.line())["until"] == change["ends"]
    assert (await service.answer("chiara", change["id"], "withdraw")).status_code == 204
    assert await service.on() == ["ben"]


async def test_an_override_is_the_keepers_and_a_second_at_that_time_is_refused_with_which(
    service: Service,
) -> None:
    await service.joins("ben", "chiara")
    await service.on_rota("ben")
    chiara, ben = await service.who("chiara"), await service.who("ben")
    assert _error(await service.change("ben", "override", doctor=ben)) == (403, "forbidden")
    assert (await service.change("ana", "override", doctor=chiara)).status_code == 201
    assert await service.on() == ["chiara"]
    second = await service.change("ana", "override", doctor=ben, ends=_in(2))
    assert _error(second) == (403, "frozen")
    assert "primary" in second.json()["error"]["message"]
    assert await service.on() == ["chiara"]


async def test_a_swap_counts_only_once_the_other_agrees(service: Service) -> None:
    await service.joins("ben", "chiara")
    await service.on_rota("ben")
    chiara = await service.who("chiara")
    asked = _ok(await service.change("ben", "swap", doctor=chiara), 201)
    assert asked["state"] == "asked"
    assert await service.on() == ["ben"]
    assert await service.told("chiara") == ["swap_asked"]
    for name in ("ben", "ana", "denis"):
        assert (await service.answer(name, asked["id"], "agree")).status_code == 404
    assert (await service.sheet("chiara"))["changes"][0]["mine"] == "answer"
    assert (await service.answer("chiara", asked["id"], "agree")).status_code == 204
    assert await service.on() == ["chiara"]
    assert (await service.told("ben"))[-1] == "swap_agreed"
    assert (await service.answer("chiara", asked["id"], "decline")).status_code == 404


async def test_a_swap_that_is_declined_or_withdrawn_changes_nothing(service: Service) -> None:
    await service.joins("ben", "chiara")
    await service.on_rota("ben")
    chiara = await service.who("chiara")
    for by, said in (("chiara", "decline"), ("ben", "withdraw")):
        asked = _ok(await service.change("ben", "swap", doctor=chiara), 201)
        assert (await service.answer(by, asked["id"], said)).status_code == 204
        assert (await service.answer("chiara", asked["id"], "agree")).status_code == 404
    assert await service.on() == ["ben"]


async def test_nobody_hands_on_a_time_that_is_not_hers(service: Service) -> None:
    await service.joins("ben", "chiara", "ana")
    await service.on_rota("ben")
    chiara, ben, ana = [await service.who(name) for name in ("chiara", "ben", "ana")]
    assert _error(await service.change("chiara", "swap", doctor=ben)) == (400, "invalid")
    both = await service.change("ana", "swap", doctor=chiara, instead_of=ben)
    assert _error(both) == (400, "invalid")
    assert _error(await service.change("denis", "until")) == (403, "forbidden")
    assert _error(await service.change("ben", "swap", doctor=ben)) == (400, "invalid")
    assert _error(await service.change("ana", "override", doctor="nobody")) == (404, "not_found")
    assert ana


async def test_somebody_on_vacation_is_on_no_shift_and_leaves_a_gap(service: Service) -> None:
    await service.joins("ben", "chiara")
    await service.on_rota("ben")
    assert (await service.change("ben", "vacation", ends=_in(72))).status_code == 201
    assert await service.on() == []
    sheet = await service.sheet()
    (change,) = sheet["changes"]
    assert sheet["gaps"][0]["doctors"] == []
    assert sheet["gaps"][0]["ends"] == change["ends"]
    assert (await service.line())["next"] == change["ends"]


async def test_somebody_whom_nothing_reaches_is_a_gap(service: Service) -> None:
    await service.joins("ben")
    await service.on_rota("ben")
    sheet = await service.sheet()
    assert sheet["reachable"] is False
    assert sheet["gaps"][0]["doctors"] == [await service.who("ben")]


async def test_times_and_layers_that_cannot_be_are_refused(service: Service) -> None:
    await service.joins("ben")
    await service.on_rota("ben")
    for wrong in (
        {"ends": "2020-01-01T00:00:00Z"},
        {"ends": "2126-01-01T00:00:00Z"},
        {"starts": "2099-01-02T00:00:00Z", "ends": "2099-01-01T00:00:00Z"},
        {"ends": "2026-01-01T00:00:00"},
        {"ends": "tomorrow"},
        {"layer": "nobody's"},
    ):
        assert _error(await service.change("ben", "until", **wrong)) == (400, "invalid"), wrong
    assert (await service.sheet())["changes"] == []


async def test_every_act_on_a_role_is_audited(service: Service) -> None:
    await service.joins("ben")
    await service.members("ana", email=await service.house.doctor("chiara"))
    await service.members("chiara", agrees=True)
    await service.on_rota("ben")
    made = _ok(await service.change("ben", "swap", doctor=await service.who("chiara")), 201)
    await service.answer("chiara", made["id"], "agree")
    await service.put(closed=True)
    async with service.house.lounge.identity_database.reading() as connection:
        rows = (await connection.execute(identity_audit.select())).all()
        assert await audit.verify(connection, "identity") is None
    acts = [row.act for row in rows if service.id in row.detail]
    assert acts == [
        *("role_added", "role_asked", "role_agreed", "role_changed"),
        *("swap_made", "swap_agreed", "role_closed"),
    ]


# -- one's own calendar --------------------------------------------------------------------------


async def test_a_feed_opens_with_its_own_password_and_with_nothing_else(service: Service) -> None:
    await service.joins("ben", "chiara")
    await service.on_rota("ben")
    ben = await service.door("ben")
    made = _ok(await ben.post("/api/rota/feed"), 201)
    async with service.house.http() as program:
        for headers in ({}, _basic("rota", "guess"), {"authorization": "Basic %%"}):
            refused = await program.get(made["address"], headers=headers)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Basic ")
        opened = await program.get(made["address"], headers=_basic("rota", made["password"]))
        assert opened.headers["content-type"].startswith("text/calendar")
        assert "Neurology" in opened.text
        assert "Canaryfeather" not in opened.text
        again = _ok(await ben.post("/api/rota/feed"), 201)
        old = await program.get(made["address"], headers=_basic("rota", made["password"]))
        assert (old.status_code, again["password"] != made["password"]) == (401, True)
    assert (await ben.get("/api/rota.ics")).status_code == 401
    assert made["password"] not in made["address"]


# -- leaving, and one's own data -----------------------------------------------------------------


async def test_who_left_is_on_no_rota_and_no_row_has_her_id(service: Service) -> None:
    await service.joins("eve", "ben")
    await service.on_rota("eve", "ben")
    eve, lounge = await service.doctor_id("eve"), service.house.lounge
    await service.change("eve", "until")
    await lounge.accounts.leaving.leave(eve)
    assert (await lounge.oncall.roles.duty(service.id)).on == {}
    await lounge.accounts.leaving.erase_due()
    async with lounge.identity_database.reading() as connection:
        row = await roles.find(connection, service.id)
        assert row
        assert eve not in row.body
        assert await roles.changes(connection, [service.id], 0) == []
    ben = await service.who("ben")
    assert (await service.sheet())["rota"]["layers"][0]["rules"][0]["doctors"] == [[], [ben]]


async def test_a_role_whose_keeper_left_waits_for_another(service: Service) -> None:
    frida = await service.house.doctor("frida")
    await service.put("rita", keeper=frida)
    leaving = service.house.lounge.accounts.leaving
    await leaving.leave(await service.doctor_id("frida"))
    await leaving.erase_due()
    rita, version = await service.door("rita"), (await service.sheet("rita"))["version"]
    body = {"version": version, "keeper": await service.house.doctor("ben")}
    assert (await rita.put(f"/api/roles/{service.id}", json=body)).status_code == 204
    assert (await service.line("ben"))["mine"] == "keeper"


async def test_her_own_data_has_her_turns_and_nobody_elses_id(service: Service) -> None:
    await service.joins("ben", "chiara")
    await service.on_rota("ben", "chiara")
    await service.change("ben", "swap", doctor=await service.who("chiara"))
    own = service.house.lounge.accounts.own_data
    held = msgspec.json.decode(await own.take(await service.doctor_id("ben")))
    (rota,) = [each for each in held["rotas"] if each["role"] == service.id]
    turns = rota["rota"]["layers"][0]["rules"][0]["doctors"]
    assert turns == [[await service.doctor_id("ben")], ["somebody else"]]
    assert [each["role"] for each in held["shift_change"]].count(service.id) == 1
    for name in ("ana", "chiara"):
        assert await service.doctor_id(name) not in msgspec.json.encode(held).decode()


# -- beneath HTTP: both databases ----------------------------------------------------------------


@pytest.fixture(params=SQLITE_FIRST)
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_either(request, tmp_path) as stores:
        yield stores


@dataclass(slots=True)
class Desk:
    """The parts, with a clock of the test's own."""

    stores: Stores
    clock: Clock = field(default_factory=Clock)

    @property
    def known(self) -> Roles:
        return Roles(self.stores.identity, open_catalogue(), clock=self.clock)

    @property
    def changes(self) -> Changes:
        return Changes(self.stores.identity, self.stores.keys, self.known, clock=self.clock)

    async def open_one(self) -> Role:
        """Kept by Ana, who alone is on it, every day from eight."""
        doctors = self.stores.doctors(self.clock)
        await add_ana(doctors)
        doctors.close()
        ana = await doctor_by(self.stores, "ana@clinic.test")
        parts = self.stores.identity, self.stores.keys, self.known
        rosters = Rosters(*parts)
        keeping = Keeping(*parts, rosters, clock=self.clock)
        id = await keeping.add(NewRole(**NEW, keeper="ana@clinic.test"), by=OPERATOR)
        await Members(*parts, rosters, clock=self.clock).ask(ana, id, "ana@clinic.test")
        hers = rosters.member_id(id, ana.id)
        day = datetime.fromtimestamp(START / 1000, UTC).date() - timedelta(days=7)
        rota = Rota((Layer("primary", (Rule(((hers,),), day, "08:00"),)),))
        await keeping.change(ana, id, Kept(1, rota=rota))
        found = await self.known.find(id)
        assert found
        return found


async def test_two_overrides_at_once_leave_one(stores: Stores) -> None:
    desk = Desk(stores)
    role = await desk.open_one()
    ana = await doctor_by(stores, "ana@clinic.test")
    wish = Wish("override", START, START + HOUR_MS, doctor=ana.id)
    tried = await asyncio.gather(
        *(desk.changes.make(ana, role.id, wish) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(each, Refusal) for each in tried) == 3
    async with stores.identity.reading() as connection:
        assert len(await roles.changes(connection, [role.id], START)) == 1


async def test_a_duty_ends_with_the_moment_that_ends_it(stores: Stores) -> None:
    desk = Desk(stores)
    role = await desk.open_one()
    ana = await doctor_by(stores, "ana@clinic.test")
    ends = START + HOUR_MS
    await desk.changes.make(ana, role.id, Wish("vacation", START, ends))
    away = await desk.known.duty(role.id, ends - 1)
    assert (dict(away.on), away.next) == ({}, ends)
    back = await desk.known.duty(role.id, ends)
    assert (dict(back.on), back.next) == ({"primary": (ana.id,)}, None)
    assert back.until is None  # she follows herself every day


async def test_a_suspended_member_is_on_no_duty(stores: Stores) -> None:
    desk = Desk(stores)
    role = await desk.open_one()
    ana = await doctor_by(stores, "ana@clinic.test")
    assert (await desk.known.duty(role.id)).members == (ana.id,)
    doctors = stores.doctors(desk.clock)
    await doctors.set_verified(ana.id, False)
    doctors.close()
    duty = await desk.known.duty(role.id)
    assert (duty.members, dict(duty.on), duty.is_covered) == ((), {}, False)


async def test_the_demonstration_has_its_cast_on_call(stores: Stores) -> None:
    for _ in range(2):
        await demo.fill(stores.identity, now=START)
    duties = await Roles(stores.identity, open_catalogue()).duties(int(time.time() * 1000))
    by_service = {duty.role.id: duty for duty in duties}
    assert {*by_service} == {each.id for each in demo.SERVICES}
    for each in demo.SERVICES:
        first = await demo.doctor_id(stores.identity, _cast(each.first))
        assert by_service[each.id].on["primary"] == (first,)
        assert len(by_service[each.id].on["secondary"]) == 1


# -- the rest ------------------------------------------------------------------------------------


def test_the_operator_makes_a_role_by_the_command_line(tmp_path: Path) -> None:
    env = {"LOUNGE_DATA": str(tmp_path)}
    who = ["--email", "ana@clinic.test", "--name", "Ana", "--country", "CA", "--verified"]
    run = CliRunner()
    run.invoke(main, ["doctor", "add", *who, "--specialty", "cardiology"], env=env)
    given = [arg for key, value in NEW.items() for arg in (f"--{key}", value)]
    made = run.invoke(main, ["role", "add", *given, "--keeper", "ana@clinic.test"], env=env)
    assert made.exit_code == 0
    listed = run.invoke(main, ["role", "list"], env=env).output.strip().split("\t")
    assert listed == [made.output.strip(), SERVICE, NEW["name"], NEW["zone"], "+1 807-555-0142"]
    refused = run.invoke(main, ["role", "add", *given, "--keeper", "x@clinic.test"], env=env)
    assert refused.exit_code == 1


@pytest.mark.parametrize(
    ("hour", "until"), [(21, 21), (22, 31), (23, 31), (30, 31), (31, 31), (12, 12)]
)
def test_a_night_ends_in_the_morning_of_the_roles_own_zone(hour: int, until: int) -> None:
    midnight = datetime(2026, 6, 1, 4, tzinfo=UTC)  # in Toronto
    role = Role(
        *("id", SERVICE, "name", "neurology", "America/Toronto", "+1", None, None),
        *(Rota(), DEFAULT, Night(), 1),
    )
    at, morning = (
        int((midnight + timedelta(hours=each)).timestamp() * 1000) for each in (hour, until)
    )
    assert role.morning(at) == morning


def _ok(response: httpx2.Response, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.text
    found: dict[str, Any] = response.json()
    return found


def _error(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def _in(hours: float) -> str:
    """So many hours from now, on the whole second."""
    return rfc3339((int(time.time()) + int(hours * 3600)) * 1000)


def _basic(user: str, password: str) -> dict[str, str]:
    told = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {told}"}


def _cast(name: str) -> demo.Member:
    return next(each for each in demo.CAST if each.name == name)
