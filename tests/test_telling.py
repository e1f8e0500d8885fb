"""Told while the browser is closed: in `me` once, by e-mail as each doctor wishes, and of nothing in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from lounge import belongings
from lounge.belongings import Belongings
from lounge.errors import Refusal
from lounge.mail import Mail, Postman
from lounge.notices import Notices, Relay, letter
from lounge.telling import LATEST_MS, Telling, later, later_of_this
from lounge.told import KINDS, Quiet, Told, checked
from storage import duties, outbox
from storage.acts import Elsewhere
from storage.database import StorageError
from storage.identity_schema import mail
from storage.schema import due
from storage.schema import outbox as outbox_table
from tests.acts import draft, new_room, say, settled, writing
from tests.stores import Clock, Stores, add_ana, doctor_by, open_stores, wipe
from tests.support import PATIENCE_SECONDS, House, new_cid, open_house

NIGHT = Quiet("22:00", "07:00", "America/Toronto")
ALL = Told(mail=KINDS, quiet=NIGHT, asked="today")  # type: ignore[arg-type]
HOUR = 3_600_000


# -- quiet hours ---------------------------------------------------------------------------------


def at(zone: str, clock: str, fold: int = 0) -> int:
    """A moment in ms by a wall clock there."""
    local = datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return int(local.timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-05-04 21:59", "2026-05-04 21:59"),
        ("2026-05-04 22:00", "2026-05-05 07:00"),
        ("2026-05-05 06:59", "2026-05-05 07:00"),
        ("2026-05-05 07:00", "2026-05-05 07:00"),
        ("2026-12-31 23:00", "2027-01-01 07:00"),
        ("2026-03-08 01:00", "2026-03-08 07:00"),  # clocks go forward in this night
        ("2026-10-31 23:00", "2026-11-01 07:00"),  # and back in this one
    ],
)
def test_what_comes_in_quiet_hours_waits_for_their_end_by_the_wall_clock(
    now: str, then: str
) -> None:
    zone = NIGHT.zone
    assert NIGHT.over(at(zone, now)) == at(zone, then)


def test_an_hour_that_comes_twice_is_quiet_until_it_is_over() -> None:
    quiet, zone = Quiet("01:00", "01:45", "America/Toronto"), "America/Toronto"
    second = at(zone, "2026-11-01 01:30", fold=1)
    assert quiet.over(second) == at(zone, "2026-11-01 01:45", fold=1)


clocks = st.times().map(lambda time: f"{time:%H:%M}")


@given(clocks, clocks, st.integers(0, 2 * 365 * 24 * 3600))
def test_quiet_hours_end_within_a_day_and_then_it_is_not_quiet(
    start: str, end: str, second: int
) -> None:
    if start != end:
        quiet, now = Quiet(start, end, "UTC"), 1_767_225_600_000 + second * 1000
        over = quiet.over(now)
        assert 0 <= over - now < 24 * HOUR
        assert quiet.over(over) == over


def test_a_zone_that_this_machine_does_not_know_is_taken_for_utc() -> None:
    lost, utc = Quiet("22:00", "07:00", "Mars/Olympus"), Quiet("22:00", "07:00", "UTC")
    night = at("UTC", "2026-05-04 23:00")
    assert (lost.over(night), lost.day(night)) == (utc.over(night), utc.day(night))
    assert lost.over(night) > night


@pytest.mark.parametrize(
    ("quiet", "key"),
    [
        (Quiet("22:00", "22:00", "UTC"), "refusal.told_hours"),
        (Quiet("22:00", "07:00", "Mars/Olympus"), "refusal.told_zone"),
        (Quiet("22:00", "07:00", "../../etc/passwd"), "refusal.told_zone"),
    ],
)
def test_hours_that_never_end_and_zones_that_nobody_knows_are_refused(
    quiet: Quiet, key: str
) -> None:
    with pytest.raises(Refusal) as refused:
        checked(Told(quiet=quiet))
    assert refused.value.key == key


# -- from the outbox to an e-mail ----------------------------------------------------------------


@pytest.fixture(scope="module")
async def sqlite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path_factory.mktemp("telling")) as stores:
        yield stores


class Box:
    """A carrier that keeps what it is handed."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    async def send(self, letter: Mail, id: bytes) -> None:
        self.sent.append(letter)


class Desk:
    """Ana's telling: the relay, the postman, and a clock that the test moves."""

    def __init__(self, stores: Stores, ana: str) -> None:
        self.stores, self.ana, self.clock, self.box = stores, ana, Clock(), Box()
        self.belongings = Belongings(stores.identity, stores.keys, clock=self.clock)
        nobody: Any = None
        self.telling = Telling(
            identity=stores.identity,
            database=stores.lounge,
            keys=stores.keys,
            belongings=self.belongings,
            personas=nobody,
            consults=nobody,
            house_acts=nobody,
            doctor_ids=nobody,
            clock=self.clock,
        )
        self.postman = Postman(stores.identity, stores.keys, self.box, self.clock)

    async def comes(self, *kinds: str, carried: int = 1) -> None:
        """An act of the lounge has told her this; so many relays carry it at once."""
        async with self.stores.lounge.writing() as connection:
            for kind in kinds:
                told = {"notice": kind, "about": "consult/x"}
                await outbox.put(connection, letter(self.stores.keys, self.ana, told))
        await asyncio.gather(*(self.relay().carry() for _ in range(carried)))

    def relay(self) -> Relay:
        async def delivered(*_: Any) -> None: ...

        stores = self.stores
        arriving = self.telling.arriving
        return Relay(stores.identity, stores.lounge, stores.keys, delivered, arriving)

    async def noticed(self) -> list[object]:
        found = await Notices(self.stores.identity, self.stores.keys).page(self.ana, limit=200)
        return [each.notice["notice"] for each in found]

    async def letters(self, until: int | None = None) -> int:
        """How many have left by then."""
        self.clock.now = self.clock.now if until is None else until
        await self.postman.carry()
        return len(self.box.sent)

    async def waiting(self) -> list[int]:
        async with self.stores.identity.reading() as connection:
            return list((await connection.execute(select(mail.c.due))).scalars())


@pytest.fixture
async def desk(sqlite: Stores) -> Desk:
    await wipe(sqlite)
    doctors = sqlite.doctors()
    await add_ana(doctors)
    doctors.close()
    desk = Desk(sqlite, (await doctor_by(sqlite, "ana@clinic.test")).id)
    desk.clock.now = at(NIGHT.zone, "2026-05-04 12:00")
    return desk


async def test_whoever_wishes_for_nothing_gets_the_notice_and_no_letter(desk: Desk) -> None:
    await desk.comes("consult_opinion", "replied", "consult_asked", "hidden")
    assert await desk.noticed() == ["consult_opinion", "replied", "hidden"]
    assert await desk.waiting() == []


async def test_a_letter_leaves_within_half_a_minute_and_says_nothing(desk: Desk) -> None:
    await desk.telling.wish(desk.ana, ALL)
    now = desk.clock.now
    await desk.comes("consult_opinion")
    (due,) = await desk.waiting()
    assert now <= due < now + LATEST_MS
    assert await desk.letters(until=now + LATEST_MS) == 1
    (sent,) = desk.box.sent
    assert sent.to == "ana@clinic.test"
    assert "consult" not in sent.text + sent.subject
    assert "opinion" not in sent.text + sent.subject


async def test_all_kinds_read_alike(desk: Desk) -> None:
    await desk.telling.wish(desk.ana, msgspec.structs.replace(ALL, most=50))
    for kind in KINDS:
        await desk.comes(kind)
        await desk.letters(until=desk.clock.now + LATEST_MS)
    assert len(desk.box.sent) == len(KINDS)
    assert len({each.text for each in desk.box.sent}) == 1


async def test_only_the_kinds_that_she_wishes_for_come_by_e_mail(desk: Desk) -> None:
    await desk.telling.wish(desk.ana, Told(mail=("replied",)))
    await desk.comes("consult_opinion")
    assert await desk.waiting() == []
    await desk.comes("replied")
    assert len(await desk.waiting()) == 1


async def test_one_letter_that_still_waits_is_enough_for_all_that_comes_meanwhile(
    desk: Desk,
) -> None:
    await desk.telling.wish(desk.ana, ALL)
    await desk.comes("consult_opinion", "replied")
    await desk.comes("consult_closed")
    assert await desk.letters(until=desk.clock.now + LATEST_MS) == 1
    await desk.comes("consult_closed")
    assert await desk.letters(until=desk.clock.now + LATEST_MS) == 2


async def test_an_urgent_report_is_told_by_e_mail_to_whoever_is_on_duty_even_at_night(
    desk: Desk,
) -> None:
    await desk.telling.wish(desk.ana, Told(quiet=NIGHT, most=1))
    desk.clock.now = at(NIGHT.zone, "2026-05-04 22:10")
    await desk.comes("report_urgent")
    assert await desk.waiting() == []  # she is not on duty
    async with desk.stores.identity.writing() as connection:
        await duties.begin(connection, desk.ana, desk.clock.now + HOUR)
    for _ in range(2):  # however many a day she wishes; one that waits tells of all
        await desk.comes("report_urgent", "report_urgent", carried=2)
        await desk.comes("report_urgent")
        await desk.letters(until=desk.clock.now + LATEST_MS)
    assert len(desk.box.sent) == 2
    assert not any("report" in each.text + each.subject for each in desk.box.sent)
    await desk.comes("consult_opinion")
    desk.clock.now += HOUR
    await desk.comes("report_urgent")
    assert await desk.waiting() == []


async def test_an_urgent_letter_does_not_wait_for_one_that_waits_for_the_morning(
    desk: Desk,
) -> None:
    await desk.telling.wish(desk.ana, ALL)
    desk.clock.now = at(NIGHT.zone, "2026-05-04 22:10")
    async with desk.stores.identity.writing() as connection:
        await duties.begin(connection, desk.ana, desk.clock.now + HOUR)
    await desk.comes("consult_opinion")
    await desk.comes("report_urgent")
    assert await desk.letters(until=desk.clock.now + LATEST_MS) == 1


async def test_in_the_night_one_letter_waits_for_the_morning(desk: Desk) -> None:
    await desk.telling.wish(desk.ana, ALL)
    desk.clock.now = at(NIGHT.zone, "2026-05-04 22:10")
    for _ in range(3):
        await desk.comes("consult_opinion")
        desk.clock.now += HOUR
    assert await desk.letters(until=at(NIGHT.zone, "2026-05-05 06:59")) == 0
    assert await desk.letters(until=at(NIGHT.zone, "2026-05-05 07:00")) == 1


async def test_a_letter_that_could_not_leave_before_the_night_waits_for_the_morning(
    desk: Desk,
) -> None:
    await desk.telling.wish(desk.ana, ALL)
    desk.clock.now = at(NIGHT.zone, "2026-05-04 21:55")
    await desk.comes("consult_opinion")
    assert await desk.letters(until=at(NIGHT.zone, "2026-05-04 22:05")) == 0
    assert await desk.letters(until=at(NIGHT.zone, "2026-05-05 07:00")) == 1


async def test_no_more_letters_a_day_than_she_wishes_and_the_next_day_again(desk: Desk) -> None:
    await desk.telling.wish(desk.ana, msgspec.structs.replace(ALL, most=2))
    for _ in range(4):
        await desk.comes("replied")
        await desk.letters(until=desk.clock.now + LATEST_MS)
    assert len(desk.box.sent) == 2
    assert len(await desk.noticed()) == 4
    desk.clock.now = at(NIGHT.zone, "2026-05-05 12:00")
    await desk.comes("replied")
    assert await desk.letters(until=desk.clock.now + LATEST_MS) == 3


async def test_she_is_asked_no_more_often_a_day_than_she_wishes(desk: Desk) -> None:
    await desk.telling.wish(desk.ana, msgspec.structs.replace(ALL, asked_most=2))
    await desk.comes(*["consult_asked"] * 3)
    await desk.comes("consult_asked", "replied")
    assert await desk.noticed() == ["consult_asked", "consult_asked", "replied"]
    desk.clock.now += 24 * HOUR
    await desk.comes("consult_asked")
    assert (await desk.noticed()).count("consult_asked") == 3


async def test_two_relays_at_once_post_one_letter(desk: Desk) -> None:
    await desk.telling.wish(desk.ana, ALL)
    await desk.comes("consult_opinion", carried=4)
    assert await desk.noticed() == ["consult_opinion"]
    assert len(await desk.waiting()) == 1


async def test_killed_before_the_outbox_forgot_it_posts_no_second_letter(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.telling.wish(desk.ana, ALL)
    with monkeypatch.context() as killed:
        killed.setattr(outbox, "drop", _killed)
        with pytest.raises(StorageError):
            await desk.comes("consult_opinion")
    await desk.letters(until=desk.clock.now + LATEST_MS)
    await desk.relay().carry()
    assert await desk.letters(until=desk.clock.now + LATEST_MS) == 1
    assert await desk.noticed() == ["consult_opinion"]


async def test_what_another_process_keeps_for_her_does_not_undo_her_wishes(desk: Desk) -> None:
    other = Belongings(desk.stores.identity, desk.stores.keys, clock=desk.clock)
    shelf = await other.of(desk.ana)
    await desk.telling.wish(desk.ana, ALL)
    shelf.joined("world")
    await other.write()
    assert await desk.telling.wishes(desk.ana) == ALL
    assert (await desk.belongings.of(desk.ana)).own == ("world",)


async def test_who_may_no_longer_enter_is_written_nothing(desk: Desk) -> None:
    await desk.telling.wish(desk.ana, ALL)
    doctors = desk.stores.doctors()
    await doctors.set_verified(desk.ana, False)
    doctors.close()
    of_that = await desk.waiting()
    await desk.comes("replied")
    assert await desk.waiting() == of_that


async def _killed(*_: Any) -> None:
    raise ConnectionError


# -- what is put off until after an act ----------------------------------------------------------


async def test_of_an_entry_is_told_by_the_seq_that_it_gets(stores: Stores) -> None:
    room, other = await new_room(stores.lounge), await new_room(stores.lounge)
    step, there = (
        later_of_this("replied", "consult/x"),
        later_of_this("replied", "consult/y", other),
    )
    async with writing(stores.lounge) as writer:
        there_too = Elsewhere(other, (draft("end"),))
        act = say(room, steps=(step, there), elsewhere=(there_too,))
        await settled(writer, say(room), act)
        await settled(writer, say(room, steps=(later("consult_closed", "consult/x"),) * 2))
    async with stores.lounge.reading() as connection:
        found = {row.id: row.subject for row in await connection.execute(select(due))}
    subjects = ("replied consult/x 2", "replied consult/y 1", "consult_closed consult/x")
    assert found == {f"told {each}": each for each in subjects}


async def test_the_wishes_of_a_specialty_are_found_page_by_page(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(belongings, "_BATCH", 2)
    doctors, kept = stores.doctors(), belongings.Belongings(stores.identity, stores.keys)
    ids = {}
    for n, specialty in enumerate(["cardiology"] * 5 + ["neurology"]):
        await add_ana(doctors, email=f"{n}@clinic.test", specialty=specialty)
        ids[n] = (await doctor_by(stores, f"{n}@clinic.test")).id
    await doctors.set_verified(ids[4], False)
    doctors.close()
    for n in (0, 1, 2, 4, 5):
        async with stores.identity.writing() as connection:
            things = await kept.held(connection, ids[n])
            assert things is not None
            await kept.put(connection, ids[n], msgspec.structs.replace(things, told=ALL))
    told = await kept.told_of(["cardiology", "dermatology"])
    assert told == {ids[n]: ALL for n in (0, 1, 2)}


# -- in a lounge ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("told"), redis_url) as house:
        yield house


async def told(house: House, name: str) -> list[dict[str, Any]]:
    """The notices of a doctor, once all that is to be told was told and carried."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await _rows(house, select(due).where(due.c.kind == "told")):
            await house.lounge.dues.run_due()
            await asyncio.sleep(0.01)
        while await _rows(house, select(outbox_table)):
            await house.lounge.relay.carry()
    doctor_id = await house.lounge.doctors.id_of(await house.doctor(name))
    assert doctor_id
    return [each.notice for each in await house.lounge.notices.page(doctor_id, limit=200)]


async def _rows(house: House, query: Any) -> list[Any]:
    async with house.lounge.database.reading() as connection:
        return list(await connection.execute(query))


async def opens(house: House, name: str, **more: Any) -> str:
    guest = await house.guest(name)
    case = {"question": "Stop the drug?", "specialties": ["cardiology"], "cid": new_cid()}
    return str((await guest.ask("consult", **{**case, **more}))["consult"])


async def wishes(house: House, name: str, told: dict[str, Any]) -> None:
    async with house.http(await house.token(name)) as doctor:
        assert (await doctor.put("/api/told", json=told)).status_code == 200


async def test_her_wishes_are_kept_and_bad_ones_refused(house: House) -> None:
    wish = {
        "mail": ["replied"],
        "quiet": {"from": "22:00", "to": "07:00", "zone": "Europe/London"},
        "most": 5,
        "asked": "now",
        "asked_most": 2,
    }
    async with house.http(await house.token("chiara")) as chiara:
        at_first = (await chiara.get("/api/told")).json()
        assert (at_first["mail"], at_first["asked"], at_first["quiet"]) == ([], None, None)
        assert (await chiara.put("/api/told", json=wish)).json() == wish
        for bad in (
            {**wish, "mail": ["hidden"]},
            {**wish, "most": 0},
            {**wish, "asked": "soon"},
            {**wish, "quiet": {"from": "25:00", "to": "07:00", "zone": "UTC"}},
            {**wish, "quiet": {"from": "22:00", "to": "07:00", "zone": "Nowhere/At"}},
        ):
            assert (await chiara.put("/api/told", json=bad)).status_code == 400
        assert (await chiara.get("/api/told")).json() == wish
    async with house.http() as anybody:
        assert (await anybody.get("/api/told")).status_code == 401


async def test_those_of_the_specialties_asked_who_wish_it_are_told_once_by_urgency(
    house: House,
) -> None:
    for name, specialty, asked in (
        ("wishes-all", "cardiology", "routine"),
        ("wishes-now", "cardiology", "now"),
        ("wishes-none", "cardiology", None),
        ("of-another", "neurology", "routine"),
    ):
        await house.doctor(name, specialty=specialty)
        await wishes(house, name, {"asked": asked, "asked_most": 20})
    await wishes(house, "ana", {"asked": "routine"})
    routine = await opens(house, "ana")
    now = await opens(house, "ana", urgency="now")
    both = [{"notice": "consult_asked", "about": room} for room in (routine, now)]
    first = await told(house, "wishes-all")
    assert sorted(first, key=both.index) == both
    assert await told(house, "wishes-all") == first
    assert await told(house, "wishes-now") == both[1:]
    for name in ("wishes-none", "of-another", "ana"):
        assert await told(house, name) == []


async def test_a_reply_is_told_to_whom_it_answers_and_to_nobody_else(house: House) -> None:
    room = await opens(house, "ben", specialties=["neurology"])
    ben, denis = await house.guest("ben", room), await house.guest("denis", room)
    warned = await denis.say(room, "Do this first.", sort="warning")
    await ben.say(room, "Thank you, done.", reply_to=warned["seq"])
    own = await denis.say(room, "And again.", sort="warning", reply_to=warned["seq"])
    assert own["seq"] > warned["seq"]
    replied = [each for each in await told(house, "denis") if each["notice"] == "replied"]
    assert replied == [{"notice": "replied", "about": room, "target": warned["seq"] + 1}]
    assert await told(house, "ben") == []


async def test_who_ignores_the_answering_persona_is_not_told(house: House) -> None:
    room = await opens(house, "ben", specialties=["neurology"])
    ben, moira = await house.guest("ben", room), await house.guest("moira", room)
    warned = await moira.say(room, "Do this first.", sort="warning")
    persona = (await ben.ask("preview", room=room))["by"]["id"]
    await moira.ask("ignore", room=room, persona=persona, on=True)
    await ben.say(room, "Why?", reply_to=warned["seq"])
    assert await told(house, "moira") == []


async def test_a_question_is_told_to_the_author(house: House) -> None:
    room = await opens(house, "chiara", specialties=["neurology"])
    ben = await house.guest("ben", room)
    asked = await ben.say(room, "Which dose?", sort="question")
    found = [each for each in await told(house, "chiara") if each["notice"] == "consult_question"]
    assert found == [{"notice": "consult_question", "about": room, "target": asked["seq"]}]
