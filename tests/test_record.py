"""The record of a role: every page by layer and time, for its keeper and members, without a persona."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert

from lounge.oncall.policy import DEFAULT, encode
from lounge.oncall.record import COLUMNS, Recorded, as_csv
from storage import pages
from storage.pages import ACCEPTED, CLOSED, PAGE, UNANSWERED, Page
from storage.schema import alerted
from tests.backends import addresses
from tests.oncall import id_of, role
from tests.stores import SQLITE_FIRST
from tests.support import House, open_house

_numbers = count(1)
SECOND = 1_000


def at(clock: str, zone: str = "America/Toronto") -> int:
    """A moment in ms by a wall clock there."""
    return int(datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def a_page(of: str, sent: int, **other: Any) -> Page:
    """Sent at that time, and answered by nobody."""
    new = Page(
        slug=f"page/{secrets.token_urlsafe(16)}",
        room_id=1_000_000 + next(_numbers),
        kind=PAGE,
        role=of,
        urgency="now",
        asker=secrets.token_bytes(16),
        state=UNANSWERED,
        policy=encode(DEFAULT),
        opened=sent,
        sent=sent,
        step=2,
    )
    return replace(new, **other)


def accepted(of: str, sent: int, seconds: float, layer: str = "primary") -> Page:
    took = sent + int(seconds * SECOND)
    return a_page(of, sent, state=ACCEPTED, layer=layer, accepted=took, seen=took, step=0)


@pytest.fixture(scope="module", params=SQLITE_FIRST)
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("record")
    async with addresses(request) as urls, open_house(folder, redis_url, **urls) as house:
        yield house


@pytest.fixture
async def kept(house: House) -> str:
    """A role that Moira keeps and Chiara is a member of."""
    return await role(house, {"primary": ["chiara"]}, keeper=await id_of(house, "moira"))


async def put(house: House, *new: Page) -> None:
    async with house.lounge.database.writing() as connection:
        for each in new:
            await connection.execute(pages.opening(each).statement)


async def seen(house: House, name: str, path: str, **query: str) -> Any:
    async with house.http(await house.token(name)) as http:
        return await http.get(path, params=query)


async def test_keeper_and_members_read_it_and_to_others_there_is_no_such_role(
    house: House, kept: str
) -> None:
    path = f"/api/roles/{kept}/record"
    for name in ("moira", "chiara"):
        assert (await seen(house, name, path)).status_code == 200
    for each in (path, f"{path}.csv", "/api/roles/none/record"):
        refused = await seen(house, "ben", each)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")


async def test_every_page_says_who_by_layer_when_and_how_long_the_newest_first(
    house: House, kept: str
) -> None:
    night, noon = at("2026-05-05 03:10"), at("2026-05-05 12:00")
    slow = accepted(kept, night, 95.5, "secondary")
    done = replace(accepted(kept, noon, 20), state=CLOSED, closed=noon + 90 * SECOND)
    await put(house, slow, done, a_page(kept, night + 60 * SECOND), accepted("other", noon, 1))
    async with house.lounge.database.writing() as connection:
        whom = {"page": slow.slug, "persona": b"p" * 16, "step": 0, "layer": "primary", "at": night}
        await connection.execute(insert(alerted), {**whom, "declined": night + 1, "reason": "busy"})
    query = {"since": "2026-05-05T00:00:00-04:00", "until": "2026-05-06T00:00:00-04:00"}
    told = (await seen(house, "moira", f"/api/roles/{kept}/record", **query)).json()
    newest, unanswered, first = told["pages"]
    assert (newest["phase"], newest["layer"], newest["seconds"]) == ("closed", "primary", 20.0)
    assert (unanswered["phase"], unanswered["steps"]) == ("unanswered", 3)
    assert "accepted" not in unanswered
    assert (first["layer"], first["seconds"]) == ("secondary", 95.5)
    assert [(each["layer"], each["reason"]) for each in first["declined"]] == [("primary", "busy")]
    assert (told["n"], told["unanswered"], told["median_s"]) == (2, 1, 57.75)
    assert told["zone"] == "America/Toronto"
    assert [(each["hour"], each["n"], each["unanswered"]) for each in told["by_hour"]] == [
        (3, 1, 1),
        (12, 1, 0),
    ]
    text = repr(told)
    for each in (slow, done):
        assert each.slug.removeprefix("page/") not in text


async def test_the_export_holds_the_same_pages(house: House, kept: str) -> None:
    sent = at("2026-05-05 12:00")
    await put(house, accepted(kept, sent, 20), a_page(kept, sent + SECOND))
    answer = await seen(house, "chiara", f"/api/roles/{kept}/record.csv", since="2026-05-01")
    assert answer.headers["content-type"].startswith("text/csv")
    head, *lines = csv.reader(io.StringIO(answer.text))
    assert tuple(head) == COLUMNS
    phases = [dict(zip(head, line, strict=True))["phase"] for line in lines]
    assert phases == ["unanswered", "accepted"]
    assert lines[1][-1] == "20.0"


async def test_a_time_that_is_none_and_too_long_a_while_are_refused(
    house: House, kept: str
) -> None:
    for query in (
        {"since": "yesterday"},
        {"until": "99999-01-01"},
        {"since": "9999-12-31", "until": "9999-12-31T23:59:59-23:00"},
        {"until": "0001-01-01"},
        {"until": "0001-01-01T00:00:00+23:00"},
        {"since": "\0"},
        {"since": "2026-05-05", "until": "2026-05-05"},
        {"since": "2020-01-01", "until": "2026-05-05"},
    ):
        refused = await seen(house, "moira", f"/api/roles/{kept}/record", **query)
        assert refused.json()["error"]["code"] == "invalid"


def test_no_spreadsheet_takes_a_layer_for_a_formula() -> None:
    layer = '=HYPERLINK("https://example.test")'
    page = accepted("role", int(datetime(2026, 5, 5, tzinfo=UTC).timestamp() * 1000), 1, layer)
    _, line = csv.reader(io.StringIO(as_csv([Recorded(page, ())])))
    assert line[COLUMNS.index("layer")] == f"'{layer}"
