"""S6: a daily rota over both changes of the clocks, and a swap: no hole, both told, a calendar agrees."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest
from icalendar import Calendar

from tests.backends import on_postgres
from tests.journeys import served, service
from tests.journeys.elsewhen import Elsewhen
from tests.journeys.served import Served
from tests.processes import Run
from tests.support import House, http_client, open_house

ZONE = ZoneInfo("America/Toronto")
NEW = {
    "service": "Neurology, Thunder Bay Regional",
    "name": "Neurologist on call",
    "specialty": "neurology",
    "zone": str(ZONE),
    "number": service.NUMBER,
}
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Desk:
    """Rita is a registrar; Ana keeps the rota and takes turns with Ben. Each has a door of her own."""

    clock: Elsewhen
    doors: dict[str, httpx2.AsyncClient]
    emails: dict[str, str]

    async def asks(self, name: str, method: str, path: str, body: Any = None) -> Any:
        answer = await self.doors[name].request(method, path, json=body)
        assert answer.is_success, (method, path, answer.text)
        return answer.json() if answer.content else None

    async def told(self, name: str, role: str, notice: str, many: int) -> list[dict[str, Any]]:
        """The notices of that kind in a doctor's own log, once there are so many."""
        path = "/api/rooms/me/events?after=0&limit=200"
        async with asyncio.timeout(60):
            while True:
                events = (await self.asks(name, "GET", path))["events"]
                found = [e for e in events if e.get("notice") == notice and e.get("role") == role]
                if len(found) >= many:
                    return found
                await asyncio.sleep(0.1)


async def test_a_rota_over_both_changes_of_the_clocks(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Elsewhen(tmp_path / "elsewhen")
    monkeypatch.setattr("time.time_ns", clock.ns)
    monkeypatch.setattr("time.time", clock.seconds)
    async with open_house(tmp_path / "house", redis_url, bench=True) as house:
        desk = await _at_home(house, clock)
        for change in _changes():
            await _over(desk, change)
        for each in desk.doors.values():
            await each.aclose()


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_the_same_on_two_servers_and_postgresql(
    run: Run, tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    clock = Elsewhen(tmp_path / "elsewhen")
    async with on_postgres(postgres_url) as urls:
        environ = {**served.on_postgres(urls), "REDIS_URL": redis_url, "LOUNGE_BENCH": "1"}
        servers = [
            Served(run, tmp_path, **environ, ELSEWHEN=str(tmp_path / "elsewhen")) for _ in range(2)
        ]
        for each in servers:
            each._arguments = ("-m", "tests.journeys.elsewhen", "0")
        tokens = await servers[0].tokens(3)
        emails = await service.emails_of(urls["identity_url"], tokens)
        await service.make_registrar(urls["identity_url"], emails[0])
        await asyncio.gather(*(each.start() for each in servers))
        desk = _desk(clock, servers, tokens, emails)
        for change in _changes():
            await _over(desk, change)
        for door in desk.doors.values():
            await door.aclose()


def _changes() -> list[datetime]:
    """The next two days on which Toronto's clocks are put forward or back, at eight in the morning before."""
    today = datetime.now(UTC).astimezone(ZONE).replace(hour=8, minute=0, second=0, microsecond=0)
    days = [today + n * DAY for n in range(5, 400)]
    return [day for day in days if (day + DAY).utcoffset() != day.utcoffset()][:2]


async def _over(desk: Desk, change: datetime) -> None:
    """Three days before it a rota is made; then the days go by."""
    began = change - 3 * DAY
    desk.clock.goes_to(_ms(began) + 3_600_000)
    role = await _made(desk)
    ana, ben = await _members(desk, role)
    rule = {"doctors": [[ana], [ben]], "from": str(began.date()), "at": "08:00", "every": "days"}
    sheet = await desk.asks("ana", "GET", f"/api/roles/{role}")
    kept = {"version": sheet["version"], "rota": {"layers": [{"name": "primary", "rules": [rule]}]}}
    await desk.asks("ana", "PUT", f"/api/roles/{role}", kept)
    await _has_no_hole(desk, role, change, [ana, ben])
    await _swapped(desk, role, change, ana, ben)
    await _a_calendar_agrees(desk, role, ben)
    await _both_are_told(desk, role, change)
    await _a_gap_is_listed_ahead(desk, role, change)


async def _made(desk: Desk) -> str:
    body = {**NEW, "keeper": desk.emails["ana"]}
    return str((await desk.asks("rita", "POST", "/api/roles", body))["id"])


async def _members(desk: Desk, role: str) -> tuple[str, str]:
    """Ana, who keeps it, and Ben, who agrees: their ids in it."""
    path = f"/api/roles/{role}/members"
    for name in ("ana", "ben"):
        await desk.asks("ana", "POST", path, {"email": desk.emails[name]})
    await desk.asks("ben", "POST", path, {"agrees": True})
    sheets = [await desk.asks(name, "GET", f"/api/roles/{role}") for name in ("ana", "ben")]
    return sheets[0]["you"], sheets[1]["you"]


async def _has_no_hole(desk: Desk, role: str, change: datetime, turns: Sequence[str]) -> None:
    """One after the other, day for day by the clock on the wall, be it 23 or 25 hours."""
    sheet = await desk.asks("ana", "GET", f"/api/roles/{role}")
    shifts = sheet["shifts"]
    assert len(shifts) >= 20
    for one, other in pairwise(shifts):
        assert one["ends"] == other["starts"]
        assert one["doctors"] != other["doctors"]
    days = {_at(each["starts"]): _at(each["ends"]) - _at(each["starts"]) for each in shifts}
    longer = change.utcoffset() - (change + DAY).utcoffset()  # type: ignore[operator]
    assert days[change.astimezone(UTC)] == DAY + longer
    assert sorted(set(days.values())) == sorted({DAY, DAY + longer})
    assert [gap for gap in sheet["gaps"] if not gap["doctors"]] == []
    assert sheet["overlaps"] == []


async def _swapped(desk: Desk, role: str, change: datetime, ana: str, ben: str) -> None:
    """Ana's first shift, the one before the day of the change, becomes Ben's; he agrees."""
    starts, ends = (change - DAY).astimezone(UTC), change.astimezone(UTC)
    path = f"/api/roles/{role}/changes"
    whom = {"layer": "primary", "doctor": ben, "instead_of": ana}
    wish = {"kind": "swap", "starts": starts.isoformat(), "ends": ends.isoformat(), **whom}
    made = await desk.asks("ana", "POST", path, wish)
    assert made["state"] == "asked"
    await desk.asks("ben", "POST", f"{path}/{made['id']}", {"answer": "agree"})
    sheet = await desk.asks("ana", "GET", f"/api/roles/{role}")
    on = {_at(each["starts"]): each["doctors"] for each in sheet["shifts"]}
    assert on[starts] == [ben]


async def _a_calendar_agrees(desk: Desk, role: str, ben: str) -> None:
    made = await desk.asks("ben", "POST", "/api/rota/feed")
    where = str(desk.doors["ben"].base_url)
    async with http_client(base_url=where, auth=("rota", made["password"])) as program:
        answer = await program.get(made["address"])
    assert answer.status_code == 200
    sheet = await desk.asks("ben", "GET", f"/api/roles/{role}")
    until = max(_at(each["ends"]) for each in sheet["shifts"])
    mine = {(_at(e["starts"]), _at(e["ends"])) for e in sheet["shifts"] if e["doctors"] == [ben]}
    events = Calendar.from_ical(answer.content).walk("VEVENT")
    spans = {(each.decoded("DTSTART"), each.decoded("DTEND")) for each in events}
    assert {span for span in mine if span[1] < until} <= spans


async def _both_are_told(desk: Desk, role: str, change: datetime) -> None:
    """As Ana goes off Ben comes on; and, three turns later, over the change, the other way round."""
    await desk.told("ana", role, "shift_started", 1)
    desk.clock.goes_to(_ms(change - 2 * DAY) + 1_000)
    await desk.told("ben", role, "shift_started", 1)
    await desk.told("ana", role, "shift_ended", 1)
    desk.clock.goes_to(_ms(change + DAY) + 1_000)
    assert len(await desk.told("ana", role, "shift_started", 2)) == 2
    assert len(await desk.told("ben", role, "shift_ended", 1)) == 1
    assert len(await desk.told("ana", role, "shift_ended", 1)) == 1


async def _a_gap_is_listed_ahead(desk: Desk, role: str, change: datetime) -> None:
    """Ana is away for two days a week later: nobody has her shift, and she who keeps it is told."""
    away = {"starts": (change + 6 * DAY).isoformat(), "ends": (change + 8 * DAY).isoformat()}
    path = f"/api/roles/{role}/changes"
    await desk.asks("ana", "POST", path, {"kind": "vacation", **away})
    sheet = await desk.asks("ana", "GET", f"/api/roles/{role}")
    (gap,) = [gap for gap in sheet["gaps"] if not gap["doctors"]]
    assert _at(gap["ends"]) - _at(gap["starts"]) >= DAY - timedelta(hours=1)
    desk.clock.goes_to(_ms(change + DAY) + 12 * 3_600_000)
    told = await desk.told("ana", role, "rota_gap", 1)
    assert told


def _at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(UTC)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)


async def _at_home(house: House, clock: Elsewhen) -> Desk:
    emails = {"rita": await house.doctor("rita", roles=["registrar"])}
    emails |= {name: await house.doctor(name) for name in ("ana", "ben")}
    doors = {name: house.http(await house.token(name), origin=house.url) for name in emails}
    return Desk(clock, doors, emails)


def _desk(
    clock: Elsewhen, servers: Sequence[Served], tokens: Sequence[str], emails: Sequence[str]
) -> Desk:
    names = ("rita", "ana", "ben")
    doors = {
        name: http_client(
            base_url=servers[n % len(servers)].url,
            headers={"authorization": f"Bearer {tokens[n]}"},
            timeout=60,
        )
        for n, name in enumerate(names)
    }
    return Desk(clock, doors, dict(zip(names, emails, strict=True)))
