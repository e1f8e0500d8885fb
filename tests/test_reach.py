"""Alerts outside the lounge: every way that was confirmed, each once, called off as soon as it is over."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from sqlalchemy import func, select

from lounge.doctors import Doctor
from lounge.errors import Refusal
from lounge.mail import Mail
from lounge.notices import Notice, Notices, Relay, letter
from lounge.oncall.alerts import Alerts
from lounge.oncall.by_mail import ByMail
from lounge.oncall.calls import Address, ReachKind
from lounge.oncall.carrier import KEPT_MS, LEASE_MS, MOST_TRIES, Carrier
from lounge.oncall.gateway import Gateway
from lounge.oncall.outside import Outside
from lounge.oncall.push import Push
from lounge.oncall.reach import HERE_MS, MOST_REACHES, TRIAL_MS, Reaches, Way
from storage import applications, outbox, reaches
from storage.identity_schema import alert
from storage.pages import ACCEPTED, SENT, UNANSWERED, Page
from tests.outsiders import Browser, Outsider, new_secret, outsider
from tests.stores import (
    SQLITE_FIRST,
    Clock,
    Stores,
    add_ana,
    doctor_by,
    open_either,
    open_stores,
    wipe,
)
from tests.support import House, new_cid, open_house

ROOM, OTHER = "page/AbCdEfGhIjKlMnOpQrStUv", "page/ZbCdEfGhIjKlMnOpQrStUv"
NUMBER = "+14165550123"
PAGE_NAME = "a-page-of-hers-0001"


@pytest.fixture(scope="module")
async def sqlite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path_factory.mktemp("reach")) as stores:
        yield stores


@pytest.fixture(scope="module")
def services() -> Iterator[tuple[Outsider, Outsider]]:
    with outsider() as service, outsider() as gateway:
        yield service, gateway


class Box:
    """A carrier that keeps what it is handed."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    async def send(self, letter: Mail, id: bytes) -> None:
        self.sent.append(letter)


@dataclass(slots=True)
class Desk:
    """Ana, and all that alerts her; `patience` is how long a service may take."""

    stores: Stores
    service: Outsider
    gate: Outsider
    ana: Doctor
    patience: float = 5.0
    clock: Clock = field(default_factory=Clock)
    box: Box = field(default_factory=Box)
    standing: dict[str, Page] = field(default_factory=dict)
    outside: Outside = field(init=False)
    alerts: Alerts = field(init=False)
    carrier: Carrier = field(init=False)
    reach: Reaches = field(init=False)

    def __post_init__(self) -> None:
        self.outside = Outside(self.patience)
        push = Push(self.stores.keys.identity, ("127.0.0.1",), "a@heart.example", self.outside)
        gateway = Gateway(f"{self.gate.url}/orders", [new_secret()], self.outside)
        self.alerts = Alerts(self.stores.keys, clock=self.clock)
        self.carrier = Carrier(
            identity=self.stores.identity,
            keys=self.stores.keys,
            alerts=self.alerts,
            senders={
                "push": push,
                "mail": ByMail(self.box),
                "sms": gateway,
                "voice": gateway,
            },
            page_of=self._page_of,
            closing=self.outside.close,
            clock=self.clock,
        )
        self.reach = Reaches(
            identity=self.stores.identity,
            keys=self.stores.keys,
            push=push,
            gateway=gateway,
            alerts=self.alerts,
            wake=self.carrier.wake,
            clock=self.clock,
        )

    async def _page_of(self, room: str) -> Page | None:
        """As a page that was sent, unless the test says otherwise."""
        new = Page(room, 1, "page", "r", "now", b"a", SENT, "{}", 1)
        return self.standing.get(room, new)

    async def confirmed(self, kind: ReachKind, address: Address | None = None) -> Way:
        """A way of hers, tried out and confirmed."""
        way = await self.reach.add(self.ana, kind, address or Address())
        await self.reach.try_out(self.ana.id, way.row.id)
        await self.carrier.carry()
        return await self.reach.confirm(self.ana.id, way.row.id, await self.code(way))

    async def code(self, way: Way) -> str:
        """What the last test alert by that way said."""
        if way.row.kind == "open":
            told = (await self.notices())[-1].notice
            return str(told["code"])
        if way.row.kind == "mail":
            return _code_in(self.box.sent.pop().text)
        if way.row.kind == "push":
            return str(self.browser(way).reads(self.service.handed.pop())["code"])
        return _code_in(json.loads(self.gate.handed.pop().body)["data"]["text"])

    browsers: dict[str, Browser] = field(default_factory=dict)

    def subscribed(self) -> Address:
        """A browser of hers, known again by its address."""
        browser = Browser(self.service.url)
        self.browsers[browser.address] = browser
        return browser.subscription

    def browser(self, way: Way) -> Browser:
        return self.browsers[way.address.to]

    async def told(self, *notices: dict[str, Any]) -> None:
        """These letters are carried to her."""
        async with self.stores.lounge.writing() as connection:
            for at, each in enumerate(notices):
                sealed = letter(self.stores.keys, self.ana.id, each, at=self.clock() + at)
                await outbox.put(connection, sealed)
        await self.relay().carry()

    async def paged(self, room: str = ROOM, urgency: str = "now", **more: Any) -> None:
        await self.told(
            {"notice": "page", "way": "page", "about": room, "urgency": urgency, **more}
        )

    async def over(self, room: str = ROOM) -> None:
        await self.told({"notice": "page_over", "about": room, "phase": "accepted"})

    def relay(self) -> Relay:
        stores = self.stores

        async def arriving(connection: Any, doctor_id: str, notices: Any) -> list[bool]:
            await self.alerts.arriving(connection, doctor_id, notices)
            return [True] * len(notices)

        async def delivered(_: str, notices: Any) -> None:
            self.carrier.delivered(notices)

        return Relay(stores.identity, stores.lounge, stores.keys, delivered, arriving)

    async def notices(self) -> list[Notice]:
        return await Notices(self.stores.identity, self.stores.keys).page(self.ana.id, limit=200)

    async def kinds(self) -> list[object]:
        return [each.notice["notice"] for each in await self.notices()]

    async def waiting(self) -> int:
        async with self.stores.identity.reading() as connection:
            rows = select(func.count()).select_from(alert).where(alert.c.sent.is_(None))
            return int((await connection.execute(rows)).scalar_one())

    async def works(self) -> bool:
        return self.ana.id in await self.reach.working([self.ana.id])

    def ordered(self) -> list[tuple[str, str]]:
        """What the gateway was told to do."""
        orders = [json.loads(each.body)["data"] for each in self.gate.handed]
        return [(each["channel"], each["says"]) for each in orders]


@pytest.fixture
async def desk(sqlite: Stores, services: tuple[Outsider, Outsider]) -> AsyncIterator[Desk]:
    desk = await laid(sqlite, *services)
    yield desk
    await desk.outside.close()


async def laid(stores: Stores, service: Outsider, gate: Outsider, **more: Any) -> Desk:
    """A desk with nothing on it."""
    await wipe(stores)
    for each in (service, gate):
        each.released.set()
        each.status = 201
        each.handed.clear()
    doctors = stores.doctors()
    await add_ana(doctors)
    doctors.close()
    return Desk(stores, service, gate, await doctor_by(stores, "ana@clinic.test"), **more)


# -- a way, and its test alert -------------------------------------------------------------------


async def test_a_way_works_once_its_test_alert_was_told_back(desk: Desk) -> None:
    way = await desk.reach.add(desk.ana, "push", desk.subscribed())
    assert not await desk.works()
    await desk.reach.try_out(desk.ana.id, way.row.id)
    await desk.carrier.carry()
    assert not await desk.works()
    (handed,) = desk.service.handed
    said = desk.browser(way).reads(handed)
    assert (said["kind"], said["room"]) == ("test", way.row.id)
    assert (await desk.reach.confirm(desk.ana.id, way.row.id, said["code"])).works
    assert await desk.works()
    assert await desk.kinds() == ["reach_added"]


@pytest.mark.parametrize("kind", ["push", "mail", "sms", "voice", "open"])
async def test_each_kind_is_tried_out_by_its_own_way(desk: Desk, kind: ReachKind) -> None:
    to = {"push": desk.subscribed(), "open": Address(PAGE_NAME), "mail": Address()}
    way = await desk.confirmed(kind, to.get(kind, Address(NUMBER)))
    assert way.works
    assert await desk.works()
    if kind in ("sms", "voice"):
        assert (way.hint, await desk.reach.number(desk.ana.id)) == ("…123", NUMBER)


async def test_another_code_one_used_before_and_an_old_one_confirm_nothing(desk: Desk) -> None:
    way = await desk.reach.add(desk.ana, "mail", Address())
    await desk.reach.try_out(desk.ana.id, way.row.id)
    await desk.carrier.carry()
    code = await desk.code(way)
    for wrong in ("000000" if code != "000000" else "111111", ""):
        with pytest.raises(Refusal):
            await desk.reach.confirm(desk.ana.id, way.row.id, wrong)
    desk.clock.now += TRIAL_MS + 1
    with pytest.raises(Refusal) as refused:
        await desk.reach.confirm(desk.ana.id, way.row.id, code)
    assert refused.value.key == "refusal.reach_code"
    desk.clock.now -= TRIAL_MS + 1
    await desk.reach.confirm(desk.ana.id, way.row.id, code)
    with pytest.raises(Refusal):
        await desk.reach.confirm(desk.ana.id, way.row.id, code)


async def test_anothers_way_is_not_there(desk: Desk) -> None:
    way = await desk.reach.add(desk.ana, "mail", Address())
    for act in (
        desk.reach.drop("ben", way.row.id),
        desk.reach.try_out("ben", way.row.id),
        desk.reach.confirm("ben", way.row.id, "123456"),
    ):
        with pytest.raises(Refusal) as refused:
            await act
        assert refused.value.key == "refusal.no_such_reach"


async def test_an_open_page_counts_as_long_as_it_says_so(desk: Desk) -> None:
    await desk.confirmed("open", Address(PAGE_NAME))
    desk.clock.now += HERE_MS
    assert await desk.works()
    desk.clock.now += 1
    assert not await desk.works()
    again = await desk.reach.add(desk.ana, "open", Address(PAGE_NAME))
    assert again.works
    assert await desk.works()


async def test_a_browser_has_one_owner_whoever_confirmed_it_last(desk: Desk) -> None:
    address = desk.subscribed()
    await desk.confirmed("push", address)
    doctors = desk.stores.doctors()
    await add_ana(doctors, email="ben@clinic.test")
    doctors.close()
    ben = await doctor_by(desk.stores, "ben@clinic.test")
    way = await desk.reach.add(ben, "push", address)
    assert await desk.works()  # who merely knows its address takes nothing from her
    await desk.reach.try_out(ben.id, way.row.id)
    await desk.carrier.carry()
    await desk.reach.confirm(ben.id, way.row.id, await desk.code(way))
    assert not await desk.works()
    assert await desk.reach.of(desk.ana.id) == []


async def test_one_that_is_there_is_renewed_and_stays_confirmed(desk: Desk) -> None:
    address = desk.subscribed()
    first = await desk.confirmed("push", address)
    again = await desk.reach.add(desk.ana, "push", address)
    assert (again.row.id, again.works) == (first.row.id, True)


async def test_nobody_has_more_than_twenty(desk: Desk) -> None:
    for n in range(MOST_REACHES):
        await desk.reach.add(desk.ana, "open", Address(f"a-page-of-hers-{n:04}"))
    with pytest.raises(Refusal) as refused:
        await desk.reach.add(desk.ana, "mail", Address())
    assert refused.value.key == "refusal.reach_full"


async def test_what_cannot_be_called_and_what_costs_is_refused(desk: Desk) -> None:
    for number in ("", "112", "+1 900 555 0123", "not a number", "+99912345"):
        with pytest.raises(Refusal) as refused:
            await desk.reach.add(desk.ana, "voice", Address(number))
        assert refused.value.key == "refusal.reach_number"


async def test_a_number_is_taken_as_it_is_written_in_her_country(desk: Desk) -> None:
    way = await desk.reach.add(desk.ana, "sms", Address("(416) 555-0123"))
    assert way.address.to == NUMBER
    assert await desk.reach.number(desk.ana.id) is None  # nobody has confirmed it


# -- alerts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("formal", [False, True])
async def test_a_push_says_whether_names_may_be_exchanged(desk: Desk, formal: bool) -> None:
    way = await desk.confirmed("push", desk.subscribed())
    await desk.paged(formal=formal)
    await desk.carrier.carry()
    said = desk.browser(way).reads(desk.service.handed[0])
    assert (said.get("formal", False), "accept" in said) == (formal, not formal)


async def test_a_page_is_told_by_every_way_that_was_confirmed_and_no_other(desk: Desk) -> None:
    push = await desk.confirmed("push", desk.subscribed())
    for kind in ("mail", "sms", "voice"):
        await desk.confirmed(kind, Address(NUMBER))
    await desk.confirmed("open", Address(PAGE_NAME))
    await desk.reach.add(desk.ana, "push", desk.subscribed())  # never confirmed
    await desk.paged()
    assert await desk.waiting() == 4
    await desk.carrier.carry()
    assert await desk.waiting() == 0
    (handed,) = desk.service.handed
    assert desk.browser(push).reads(handed)["room"] == ROOM
    assert sorted(desk.ordered()) == [("sms", "page"), ("voice", "page")]
    (sent,) = desk.box.sent
    assert sent.to == "ana@clinic.test"


async def test_no_alert_tells_what_it_is_about(desk: Desk) -> None:
    for kind in ("mail", "sms"):
        await desk.confirmed(kind, Address(NUMBER))
    canary = {"text": "Canaryfeather, 54", "service": "Canaryfeather Regional", "role": "canary"}
    await desk.paged(**canary)
    await desk.carrier.carry()
    (sent,), (order,) = desk.box.sent, desk.gate.handed
    for said in (sent.text, sent.subject, order.body.decode()):
        assert "anary" not in said
        assert ROOM not in said
        assert "now" in said or said == sent.subject


async def test_as_soon_as_it_is_over_what_waits_is_gone_and_what_was_sent_called_off(
    desk: Desk,
) -> None:
    push = await desk.confirmed("push", desk.subscribed())
    await desk.confirmed("voice", Address(NUMBER))
    await desk.confirmed("mail")
    await desk.paged()
    await desk.carrier.carry()
    await desk.paged(OTHER)
    await desk.over(OTHER)  # nothing of it was sent yet
    assert await desk.waiting() == 0
    await desk.over()
    await desk.carrier.carry()
    said = [desk.browser(push).reads(each) for each in desk.service.handed]
    assert [(each["kind"], each["room"]) for each in said] == [("page", ROOM), ("over", ROOM)]
    assert desk.ordered() == [("voice", "page"), ("voice", "over")]
    assert len(desk.box.sent) == 1


async def test_the_end_may_come_first_and_then_nobody_is_rung(desk: Desk) -> None:
    await desk.confirmed("push", desk.subscribed())
    desk.standing[ROOM] = Page(ROOM, 1, "page", "r", "now", b"a", UNANSWERED, "{}", 1)
    await desk.over()
    await desk.paged()
    await desk.carrier.carry()
    assert (desk.service.handed, await desk.waiting()) == ([], 0)


async def test_where_everyone_must_acknowledge_an_accepted_page_still_rings(desk: Desk) -> None:
    await desk.confirmed("push", desk.subscribed())
    page = Page(ROOM, 1, "page", "r", "now", b"a", ACCEPTED, "{}", 1, wanted=3, acknowledged=1)
    desk.standing[ROOM] = page
    await desk.paged()
    await desk.carrier.carry()
    assert len(desk.service.handed) == 1


async def test_that_another_accepted_what_all_must_acknowledge_calls_nothing_off(
    desk: Desk,
) -> None:
    await desk.confirmed("push", desk.subscribed())
    await desk.paged()
    await desk.carrier.carry()
    await desk.told({"notice": "page_taken", "about": ROOM, "phase": "accepted"})
    await desk.carrier.carry()
    assert len(desk.service.handed) == 1


async def test_called_off_while_it_was_on_its_way_it_is_taken_back_at_once(desk: Desk) -> None:
    push = await desk.confirmed("push", desk.subscribed())
    desk.service.hang()
    await desk.paged()
    carrying = asyncio.create_task(desk.carrier.carry())
    await desk.service.takes(1)
    await desk.over()
    desk.service.released.set()
    await carrying
    said = [desk.browser(push).reads(each)["kind"] for each in desk.service.handed]
    assert said[0] == "page"
    assert said[-1] == "over"
    assert await desk.waiting() == 0


async def test_a_reminder_before_the_first_was_carried_is_one_alert(desk: Desk) -> None:
    await desk.confirmed("push", desk.subscribed())
    await desk.paged()
    await desk.paged()
    await desk.carrier.carry()
    assert len(desk.service.handed) == 1
    await desk.paged()
    await desk.carrier.carry()
    assert len(desk.service.handed) == 2


async def test_two_doctors_of_one_page_share_no_word_that_a_service_sees(desk: Desk) -> None:
    await desk.confirmed("push", desk.subscribed())
    ana = desk.ana
    doctors = desk.stores.doctors()
    await add_ana(doctors, email="ben@clinic.test")
    doctors.close()
    desk.ana = await doctor_by(desk.stores, "ben@clinic.test")
    await desk.confirmed("push", desk.subscribed())
    await desk.paged()
    desk.ana = ana
    await desk.paged()
    await desk.carrier.carry()
    topics = {each.headers["topic"] for each in desk.service.handed}
    assert (len(topics), len({len(each.body) for each in desk.service.handed})) == (2, 1)


async def test_whoever_is_suspended_meanwhile_is_told_nothing_more(desk: Desk) -> None:
    await desk.confirmed("push", desk.subscribed())
    await desk.paged()
    async with desk.stores.identity.writing() as connection:
        await applications.set_state(connection, desk.ana.id, "suspended", "x", now=1)
    await desk.carrier.carry()
    await desk.paged(OTHER)
    assert (desk.service.handed, await desk.waiting()) == ([], 0)


# -- what fails ----------------------------------------------------------------------------------


async def test_a_service_that_is_away_is_tried_again_and_then_she_is_told_once(
    desk: Desk,
) -> None:
    await desk.confirmed("push", desk.subscribed())
    desk.service.status = 503
    await desk.paged()
    with structlog.testing.capture_logs() as lines:
        for n in range(MOST_TRIES):
            await desk.carrier.carry()
            assert len(desk.service.handed) == n + 1
            desk.clock.now += 1_000 * 2**n
        await desk.carrier.carry()
    assert len(desk.service.handed) == MOST_TRIES
    assert (await desk.works(), await desk.waiting()) == (False, 0)
    assert "127.0.0.1" not in json.dumps(lines)
    desk.service.status = 201
    await desk.paged(OTHER)
    await desk.carrier.carry()
    assert await desk.works()  # it got through
    assert (await desk.kinds()).count("reach_failed") == 1


async def test_a_subscription_that_is_gone_is_sent_nothing_until_it_is_confirmed_anew(
    desk: Desk,
) -> None:
    way = await desk.confirmed("push", desk.subscribed())
    desk.service.status = 410
    await desk.paged()
    await desk.carrier.carry()
    assert not await desk.works()
    await desk.paged(OTHER)
    await desk.carrier.carry()
    assert len(desk.service.handed) == 1
    desk.service.status = 201
    await desk.reach.try_out(desk.ana.id, way.row.id)
    await desk.carrier.carry()
    assert (await desk.reach.confirm(desk.ana.id, way.row.id, await desk.code(way))).works


async def test_what_was_taken_by_a_process_that_died_is_anothers_after_the_lease(
    desk: Desk,
) -> None:
    await desk.confirmed("push", desk.subscribed())
    await desk.paged()
    desk.service.hang()
    dies = asyncio.create_task(desk.carrier.run())
    await desk.service.takes(1)
    dies.cancel()
    await asyncio.gather(dies, return_exceptions=True)
    desk.service.released.set()
    other = Desk(desk.stores, desk.service, desk.gate, desk.ana, clock=desk.clock)
    await other.carrier.carry()
    assert len(desk.service.handed) == 1
    desk.clock.now += LEASE_MS
    await other.carrier.carry()
    assert len(desk.service.handed) == 2
    await other.outside.close()


async def test_a_gateway_that_hangs_holds_up_nobody_else(
    sqlite: Stores, services: tuple[Outsider, Outsider]
) -> None:
    desk = await laid(sqlite, *services, patience=60.0)
    push = await desk.confirmed("push", desk.subscribed())
    await desk.confirmed("voice", Address(NUMBER))
    desk.gate.hang()
    await desk.paged()
    running = asyncio.create_task(desk.carrier.run())
    await desk.service.takes(1)
    await desk.gate.takes(1)
    await desk.paged(OTHER)
    await desk.service.takes(2)
    desk.gate.released.set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    rooms = [desk.browser(push).reads(each)["room"] for each in desk.service.handed]
    assert rooms == [ROOM, OTHER]


async def test_letters_that_arrive_set_off_what_follows_from_them(desk: Desk) -> None:
    await desk.confirmed("push", desk.subscribed())
    running = asyncio.create_task(desk.carrier.run())
    await desk.paged()
    await desk.service.takes(1)
    await desk.over()
    await desk.service.takes(2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_nobody_calls_off_is_forgotten_after_two_days(desk: Desk) -> None:
    await desk.confirmed("push", desk.subscribed())
    await desk.paged()
    await desk.carrier.carry()
    desk.clock.now += KEPT_MS + 1
    await desk.carrier.tidy()
    async with desk.stores.identity.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(alert))).scalar() == 0


@pytest.fixture(params=SQLITE_FIRST)
async def either(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stores]:
    async with open_either(request, tmp_path_factory.mktemp("either")) as stores:
        yield stores


async def test_two_processes_send_each_alert_once(
    either: Stores, services: tuple[Outsider, Outsider]
) -> None:
    first = await laid(either, *services)
    await first.confirmed("push", first.subscribed())
    second = Desk(either, *services, first.ana)
    rooms = [f"page/{n:022}" for n in range(8)]
    for room in rooms:
        await first.paged(room)
    await asyncio.gather(first.carrier.carry(), second.carrier.carry())
    topics = [each.headers["topic"] for each in first.service.handed]
    assert len(topics) == len(set(topics)) == len(rooms)
    await asyncio.gather(*(first.over(room) for room in rooms))
    await asyncio.gather(first.carrier.carry(), second.carrier.carry())
    assert len(first.service.handed) == 2 * len(rooms)
    async with either.identity.writing() as connection:
        assert await reaches.fail(connection, "none", 1, for_good=True) is False
    for each in (first, second):
        await each.outside.close()


async def test_her_data_shows_her_own_addresses_and_leaving_ends_every_way(desk: Desk) -> None:
    await desk.confirmed("voice", Address(NUMBER))
    doctors = desk.stores.doctors()
    accounts = desk.stores.accounts(doctors)
    taken = json.loads(await accounts.own_data.take(desk.ana.id))
    (way,) = taken["reach"]
    assert (way["kind"], way["address"]) == ("voice", NUMBER)
    await accounts.leaving.leave(desk.ana.id)
    doctors.close()
    assert await desk.reach.of(desk.ana.id) == []


# -- over HTTP -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("reach")
    async with open_house(folder, redis_url, push_hosts=("127.0.0.1",)) as house:
        yield house


async def test_a_browser_subscribes_and_tells_the_test_alert_back(
    house: House, services: tuple[Outsider, Outsider]
) -> None:
    service, _ = services
    service.handed.clear()
    service.status = 201
    browser = Browser(service.url)
    async with house.http(await house.token("ana")) as ana:
        key = (await ana.get("/api/reach/push-key")).json()["key"]
        new = {"kind": "push", "address": browser.address, "keys": browser.keys}
        added = await ana.post("/api/reach", json=new)
        assert added.status_code == 201
        id = added.json()["id"]
        assert (await ana.post(f"/api/reach/{id}/test")).status_code == 204
        (handed,) = await service.takes(1)
        assert f"k={key}" in handed.headers["authorization"]
        code = {"code": browser.reads(handed)["code"]}
        assert (await ana.post(f"/api/reach/{id}/confirm", json=code)).json()["works"] is True
        listed = (await ana.get("/api/reach")).json()
        assert (listed["reachable"], listed["offered"]) == (True, ["open", "push", "mail"])
        assert [each["id"] for each in listed["reaches"]] == [id]
        assert browser.address not in json.dumps(listed)
        assert (await ana.delete(f"/api/reach/{id}")).status_code == 204
        assert (await ana.get("/api/reach")).json()["reachable"] is False


async def test_accepting_on_one_phone_silences_every_other(
    house: House, services: tuple[Outsider, Outsider]
) -> None:
    service, _ = services
    phones = {name: Browser(service.url) for name in ("chiara-one", "chiara-two")}
    for name, phone in phones.items():
        await house.doctor(name, country="GB", specialty="neurology")
        house.passes[name] = await house.token(name)
        await subscribes(house, name, phone, service)
    service.handed.clear()
    ana = await house.guest("ana")
    asked = {"specialty": "neurology", "text": "Thrombolyse at five hours?", "cid": new_cid()}
    room = (await ana.ask("ask_now", **asked))["room"]
    await service.takes(2)
    async with house.http(house.passes["chiara-one"]) as http:
        answer = {"room": room, "act": "accept", "cid": new_cid()}
        assert (await http.post("/api/page", json=answer)).status_code == 200
    handed = await service.takes(4)
    for phone in phones.values():
        hers = [phone.reads(each) for each in handed if phone.address.endswith(each.path)]
        assert [(each["kind"], each["room"]) for each in hers] == [("ask", room), ("over", room)]


async def subscribes(house: House, name: str, phone: Browser, service: Outsider) -> None:
    """It is tried out, and she is available."""
    service.handed.clear()
    async with house.http(house.passes[name]) as http:
        new = {"kind": "push", "address": phone.address, "keys": phone.keys}
        id = (await http.post("/api/reach", json=new)).json()["id"]
        await http.post(f"/api/reach/{id}/test")
        (handed,) = await service.takes(1)
        code = {"code": phone.reads(handed)["code"]}
        assert (await http.post(f"/api/reach/{id}/confirm", json=code)).json()["works"]
        await http.put("/api/available", json={"minutes": 60})


async def test_an_open_page_is_tried_over_its_socket(house: House) -> None:
    ben = await house.guest("ben", "me")
    async with house.http(house.passes["ben"]) as http:
        new = {"kind": "open", "address": PAGE_NAME, "label": "This page"}
        id = (await http.post("/api/reach", json=new)).json()["id"]
        await http.post(f"/api/reach/{id}/test")
        told = await ben.hears("event", kind="notice", notice="reach_test", about=id)
        confirmed = await http.post(f"/api/reach/{id}/confirm", json={"code": told["code"]})
        assert confirmed.json()["works"] is True


@pytest.mark.parametrize(
    ("new", "status"),
    [
        ({"kind": "pigeon"}, 400),
        ({"kind": "push"}, 400),
        (
            {
                "kind": "push",
                "address": "https://evil.example/x",
                "keys": {"p256dh": "", "auth": ""},
            },
            400,
        ),
        ({"kind": "sms", "address": NUMBER}, 400),  # this house has no gateway
        ({"kind": "open", "address": "short"}, 400),
        ({"kind": "mail", "label": "x" * 61}, 400),
        ({}, 400),
    ],
)
async def test_what_cannot_be_a_way_is_refused(
    house: House, new: dict[str, Any], status: int
) -> None:
    async with house.http(await house.token("ana")) as ana:
        assert (await ana.post("/api/reach", json=new)).status_code == status


async def test_without_a_gateway_there_is_no_such_door(house: House) -> None:
    async with house.http() as anybody:
        refused = await anybody.post("/api/gateway", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")


async def test_only_whoever_is_signed_in_sees_and_changes_ways(house: House) -> None:
    async with house.http() as anybody:
        for ask in (
            anybody.get("/api/reach"),
            anybody.get("/api/reach/push-key"),
            anybody.post("/api/reach", json={"kind": "mail"}),
            anybody.post("/api/reach/x/test"),
            anybody.delete("/api/reach/x"),
        ):
            assert (await ask).status_code == 401


async def test_whoever_is_not_verified_has_nothing_sent_anywhere(house: House) -> None:
    async with house.http(await house.token("dan")) as dan:
        assert (await dan.post("/api/reach", json={"kind": "mail"})).status_code == 403
        assert (await dan.post("/api/reach/x/test")).status_code == 403


async def test_codes_are_not_guessed(house: House) -> None:
    async with house.http(await house.token("chiara")) as chiara:
        id = (await chiara.post("/api/reach", json={"kind": "mail"})).json()["id"]
        tries = [
            await chiara.post(f"/api/reach/{id}/confirm", json={"code": f"{n:06}"})
            for n in range(11)
        ]
    assert [each.status_code for each in tries] == [400] * 10 + [429]


def _code_in(text: str) -> str:
    (code,) = re.findall(r"\b\d{6}\b", text)
    return str(code)
