"""What was done with power is written down once, and nobody takes a row of it back unseen."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import delete, select, text, update
from standardwebhooks import Webhook
from typer.testing import CliRunner

from lounge import audit as auditing
from lounge.anchors import Anchors
from lounge.moderating.asked import Means
from lounge.moderating.restricted import Read, Restricted
from lounge.office import open_office
from lounge.settings import from_environment
from storage import audit
from storage.audit import Link
from storage.database import StorageError
from storage.identity_schema import identity_audit
from storage.schema import lounge_audit
from tests.outsiders import new_secret, outsider
from tests.pages import ROOT
from tests.stores import Stores
from tests.support import Guest, House, new_cid, open_house
from web.cli import main

ROWS = 5
PAGE = (ROOT / "docs" / "moderation.md").read_text("utf-8")


async def fill(stores: Stores, rows: int = ROWS) -> None:
    for n in range(1, rows + 1):
        async with stores.lounge.writing() as connection:
            await audit.append_lounge(
                connection,
                "sanction.mute",
                by="moderator",
                about=f"world {n}",
                detail={"n": str(n)},
            )


async def breach(stores: Stores, *anchors: Link) -> tuple[int, str] | None:
    identity, lounge = await auditing.verify(stores.identity, stores.lounge, anchors)
    assert identity.breach is None
    return None if lounge.breach is None else (lounge.breach.seq, lounge.breach.what)


async def head(stores: Stores) -> Link:
    return (await auditing.heads(stores.identity, stores.lounge))[1]


async def alter(stores: Stores, row: int, /, **values: object) -> None:
    async with stores.lounge.writing() as connection:
        await connection.execute(
            update(lounge_audit).where(lounge_audit.c.seq == row).values(**values)
        )


async def drop(stores: Stores, *seqs: int) -> None:
    async with stores.lounge.writing() as connection:
        await connection.execute(delete(lounge_audit).where(lounge_audit.c.seq.in_(seqs)))


async def test_a_chain_that_nobody_touched_holds(stores: Stores) -> None:
    await fill(stores)
    assert await breach(stores) is None
    assert (await head(stores)).seq == ROWS


async def test_two_who_write_at_once_make_one_chain(stores: Stores) -> None:
    async def write(by: str) -> None:
        async with stores.identity.writing() as connection:
            await audit.append(connection, "token.added", by=by, about=by)

    await asyncio.gather(*(write(f"doctor {n}") for n in range(12)))
    identity, _ = await auditing.verify(stores.identity, stores.lounge)
    assert (identity.head.seq, identity.breach) == (12, None)


async def test_an_act_that_fails_leaves_no_row(stores: Stores) -> None:
    async def fails() -> None:
        async with stores.identity.writing() as connection:
            await audit.append(connection, "role.added", by="operator")
            raise TimeoutError

    with pytest.raises(StorageError):
        await fails()
    identity, _ = await auditing.verify(stores.identity, stores.lounge)
    assert identity.head.seq == 0


@pytest.mark.parametrize(
    "values", [{"about": "world 9"}, {"detail": "{}"}, {"at": 0}, {"by": "nobody"}, {"act": "said"}]
)
async def test_an_edited_row_is_named(stores: Stores, values: dict[str, object]) -> None:
    await fill(stores)
    await alter(stores, 3, **values)
    found = await breach(stores)
    assert found
    assert found[0] == 3


async def test_a_long_chain_is_read_page_by_page(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_PAGE", 2)
    await fill(stores)
    assert await breach(stores) is None
    await alter(stores, ROWS, act="said")
    found = await breach(stores)
    assert found
    assert found[0] == ROWS


async def test_a_deleted_row_is_named(stores: Stores) -> None:
    await fill(stores)
    await drop(stores, 2)
    assert await breach(stores) == (2, "missing")


async def test_a_row_deleted_and_the_rest_moved_up_is_named(stores: Stores) -> None:
    await fill(stores)
    await drop(stores, 2)
    for seq in range(3, ROWS + 1):
        await alter(stores, seq, seq=seq - 1)
    found = await breach(stores)
    assert found
    assert found[0] == 2


async def test_two_rows_that_changed_places_are_named(stores: Stores) -> None:
    await fill(stores)
    for seq, place in ((2, 99), (4, 2), (99, 4)):
        await alter(stores, seq, seq=place)
    found = await breach(stores)
    assert found
    assert found[0] == 2


async def test_a_chain_cut_off_holds_by_itself_and_not_beside_its_anchor(stores: Stores) -> None:
    await fill(stores)
    anchor = await head(stores)
    await drop(stores, 4, 5)
    assert await breach(stores) is None
    assert await breach(stores, anchor) == (4, "cut off")


async def test_a_chain_written_anew_does_not_fit_its_anchor(stores: Stores) -> None:
    await fill(stores)
    anchor = await head(stores)
    await drop(stores, *range(1, ROWS + 1))
    await fill(stores)
    assert await breach(stores) is None
    found = await breach(stores, anchor)
    assert found
    assert found[0] == ROWS


# -- anchored outside ----------------------------------------------------------------------------


async def test_every_head_is_noted_once_by_processes_that_share_a_folder(
    stores: Stores, tmp_path: Path
) -> None:
    one, other = (Anchors(stores.identity, stores.lounge, tmp_path) for _ in range(2))
    for row in range(1, 4):
        await fill(stores, 1)
        await one.note()
        await other.note()
        assert auditing.read_anchors(tmp_path / auditing.HEADS)[-1] == await head(stores)
        assert len(auditing.read_anchors(tmp_path / auditing.HEADS)) == row
    later = Anchors(stores.identity, stores.lounge, tmp_path)
    await later.note()
    anchors = auditing.read_anchors(tmp_path / auditing.HEADS)
    assert len(anchors) == 3
    assert await breach(stores, *anchors) is None
    assert not later.warnings


async def test_an_audit_that_is_shorter_than_it_was_warns_while_it_runs_and_after_a_restart(
    stores: Stores, tmp_path: Path
) -> None:
    await fill(stores)
    anchors = Anchors(stores.identity, stores.lounge, tmp_path)
    await anchors.note()
    await drop(stores, ROWS)
    later = Anchors(stores.identity, stores.lounge, tmp_path)
    for each in (anchors, later):
        await each.note()
        assert set(each.warnings) == {"audit of lounge"}
    found = await breach(stores, *auditing.read_anchors(tmp_path / auditing.HEADS))
    assert found == (ROWS, "cut off")


async def test_an_end_that_was_cut_off_and_grew_again_is_named(
    stores: Stores, tmp_path: Path
) -> None:
    await fill(stores)
    anchors = Anchors(stores.identity, stores.lounge, tmp_path)
    await anchors.note()
    await drop(stores, ROWS)
    async with stores.lounge.writing() as connection:
        await audit.append_lounge(connection, "mod.hide", by="moderator", about="world 1")
    await anchors.note()
    found = await breach(stores, *auditing.read_anchors(tmp_path / auditing.HEADS))
    assert found
    assert found[0] == ROWS
    assert found[1].startswith("changed")


async def test_a_head_is_handed_over_signed_and_again_until_it_is_taken(
    stores: Stores, tmp_path: Path
) -> None:
    secret = new_secret()
    await fill(stores)
    with outsider() as house:
        anchors = Anchors(
            stores.identity, stores.lounge, tmp_path, url=f"{house.url}/heads", secrets=[secret]
        )
        anchors._wait = 0.0  # what is not taken is tried again at once
        house.status = 503
        await anchors.note()
        await anchors.tell()
        await anchors.tell()
        assert anchors.failures == 2
        assert set(anchors.warnings) == {"audit webhook"}
        house.status = 204
        await anchors.tell()
        assert not anchors.warnings
        await anchors.tell()
        await anchors.close()
    first, second, third = house.handed
    body = Webhook(secret).verify(third.body, third.headers)
    stood = await head(stores)
    told = {"store": "lounge", "seq": ROWS, "hash": stood.hash.hex()}
    assert (body["type"], body["data"]) == ("audit.head", told)
    assert {each.headers["webhook-id"] for each in (first, second, third)} == {
        f"lounge-{ROWS}-{stood.hash.hex()[:16]}"
    }


async def test_a_restricted_read_stands_in_the_audit_before_it_is_answered(stores: Stores) -> None:
    await Restricted(stores.lounge).read("evidence", "a-report", detail={"room": "world"})
    async with stores.lounge.reading() as connection:
        row = (await connection.execute(select(lounge_audit))).one()
    assert (row.act, row.by, row.about) == ("read.evidence", "moderator", "a-report")


async def test_what_cannot_be_written_down_is_not_read(stores: Stores) -> None:
    async with stores.lounge.writing() as connection:
        await connection.execute(text("ALTER TABLE lounge_audit RENAME TO lounge_audit_gone"))
    try:
        with pytest.raises(StorageError):
            await Restricted(stores.lounge).read("context", "world 3")
    finally:
        async with stores.lounge.writing() as connection:
            await connection.execute(text("ALTER TABLE lounge_audit_gone RENAME TO lounge_audit"))


# -- as an operator asks -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stores on SQLite with a few rows of audit, and their heads noted."""
    folder = tmp_path_factory.mktemp("audited")

    async def fill_both() -> None:
        settings = from_environment({"LOUNGE_DATA": str(folder)})
        async with open_office(settings) as desk:
            stores = Stores(settings, desk.identity, desk.lounge, desk.keys)
            await fill(stores)
            await Anchors(desk.identity, desk.lounge, folder).note()

    asyncio.run(fill_both())
    return folder


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("SELECT 1", "lounge: 5 rows, all as they were written."),
        (
            "UPDATE lounge_audit SET detail = replace(detail, '3', '4') WHERE seq = 3",
            "lounge: row 3 is changed.",
        ),
        (
            "UPDATE lounge_audit SET hash = CAST(substr(hash, 1, 31) || x'00' AS BLOB) WHERE seq = 5",
            "lounge: row 5 is changed.",
        ),
        ("DELETE FROM lounge_audit WHERE seq = 3", "lounge: row 3 is missing."),
        ("DELETE FROM lounge_audit WHERE seq = 5", "lounge: row 5 is cut off."),
        ("DELETE FROM lounge_audit", "lounge: row 1 is cut off."),
    ],
    ids=["untouched", "byte of a detail", "byte of a hash", "middle", "last", "all"],
)
def test_verify_names_the_row_that_was_touched(
    filled: Path, tmp_path: Path, statement: str, says: str
) -> None:
    folder = shutil.copytree(filled, tmp_path / "copy")
    connection = sqlite3.connect(folder / "lounge.db")
    connection.execute(statement)
    connection.commit()
    connection.close()
    told = CliRunner().invoke(main, ["audit", "verify"], env={"LOUNGE_DATA": str(folder)})
    assert says in told.stdout.splitlines()
    assert told.exit_code == int("all as they were" not in says)


def test_verify_says_so_when_no_head_was_ever_noted(filled: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(filled, tmp_path / "copy")
    (folder / auditing.HEADS).unlink()
    told = CliRunner().invoke(main, ["audit", "verify"], env={"LOUNGE_DATA": str(folder)})
    assert told.exit_code == 0
    assert "an end cut off would not show" in told.stderr


def test_a_file_that_holds_no_heads_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("Tuesday: nothing\n")
    with pytest.raises(auditing.AnchorFault, match="notes"):
        auditing.read_anchors(tmp_path / "notes")


def test_both_audits_are_of_one_shape() -> None:
    assert [c.name for c in identity_audit.columns] == [c.name for c in lounge_audit.columns]


# -- every act and every restricted read ---------------------------------------------------------

MORE: dict[str, dict[str, Any]] = {
    "slow": {"seconds": 30},
    "freeze": {"on": True},
    "mute": {"minutes": 1},
    "remove": {"minutes": 1},
}
OF_A_ROOM = ("slow", "freeze")
WORDS = "Xylophone on the ward."


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("audit")
    async with open_house(folder, redis_url) as house:
        yield house


async def rows_since(house: House, seq: int) -> list[Any]:
    async with house.lounge.database.reading() as connection:
        found = select(lounge_audit).where(lounge_audit.c.seq > seq).order_by(lounge_audit.c.seq)
        return list(await connection.execute(found))


async def stands(house: House) -> int:
    async with house.lounge.database.reading() as connection:
        return (await audit.head(connection, "lounge")).seq


async def asked(author: Guest, moderator: Guest, act: str, number: int) -> None:
    """Somebody says something in a room of its own, and the moderator does that about it."""
    room = f"country/{('ad', 'ae', 'af', 'ag', 'ai', 'al', 'am', 'ao', 'aq', 'ar', 'as')[number]}"
    if act == "close":
        case = {"question": WORDS, "specialties": ["neurology"], "cid": new_cid()}
        room = (await author.ask("consult", **case))["consult"]
    await author.join(room)
    sort = {"sort": "question"} if act == "close" else {}
    seq = (await author.say(room, WORDS, **sort))["seq"]
    about = {} if act in OF_A_ROOM or act == "close" else {"seq": seq}
    command = {"act": act, "room": room, "reason": "other", "cid": new_cid(), **MORE.get(act, {})}
    if act == "restore":
        await moderator.ask("moderate", **command | {"act": "hide", "cid": new_cid()}, **about)
    await moderator.ask("moderate", **command, **about)


@pytest.mark.parametrize(("number", "act"), list(enumerate(get_args(Means))), ids=get_args(Means))
async def test_every_act_of_moderation_stands_in_the_audit_and_its_page_by_role_without_a_word(
    house: House, number: int, act: str
) -> None:
    author, moderator = await house.guest(f"author-{act}"), await house.guest("moira")
    before = await stands(house)
    await asked(author, moderator, act, number)
    rows = await rows_since(house, before)
    assert rows, act
    for row in rows:
        assert row.by == "moderator"
        assert f"`{row.act}`" in PAGE, row.act
        assert "xylophone" not in str(row).lower()
        assert "canaryfeather" not in str(row).lower()


DRY_RUN = {
    "rule": {
        "name": "Links",
        "test": {"kind": "links"},
        "action": "block",
        "reason": "advertising",
        "words": "No links here.",
    }
}
DOORS: dict[str, tuple[str, str, Any]] = {
    "reports": ("GET", "/api/reports", None),
    "evidence": ("POST", "/api/reports/{report}/claim", None),
    "context": ("GET", "/api/reports/{report}/context", None),
    "notes": ("GET", "/api/reports/{report}/notes", None),
    "appeals": ("GET", "/api/appeals", None),
    "waived": ("GET", "/api/waived", None),
    "waiting": ("GET", "/api/waiting", None),
    "sanctions": ("GET", "/api/sanctions", None),
    "hidden": ("GET", "/api/rooms/{room}/hidden/{seq}", None),
    "rules.dry_run": ("POST", "/api/rules/dry-run", DRY_RUN),
}
OF_OPERATORS = {"export", "search"}
"""Printed or looked through from a shell: below."""
READS = [path for method, path, _ in DOORS.values() if method == "GET" and "{" not in path]
SOUGHT = "country/at"


@pytest.fixture(scope="module")
async def sought(house: House) -> dict[str, Any]:
    """An entry that was reported, and hidden."""
    author = await house.guest("author-of-hidden", SOUGHT)
    seq = (await author.say(SOUGHT, WORDS))["seq"]
    other = await house.guest("reporter-of-it", SOUGHT)
    place = {"room": SOUGHT, "seq": seq}
    await other.ask("report", kind="harassment", cid=new_cid(), **place)
    await house.moderate("hide", SOUGHT, seq)
    async with house.http(await house.token("moira")) as http:
        found = (await http.get("/api/reports")).json()["reports"]
    (report,) = [each["id"] for each in found if each["room"] == SOUGHT]
    return {"report": report, **place}


@pytest.mark.parametrize("what", get_args(Read))
async def test_every_restricted_read_stands_in_the_audit_before_it_is_answered(
    house: House, sought: dict[str, Any], what: str
) -> None:
    if what in OF_OPERATORS:
        return
    method, path, body = DOORS[what]  # a read that has no door here has no test
    before = await stands(house)
    async with house.http(await house.token("moira")) as http:
        answer = await http.request(method, path.format(**sought), json=body)
    assert answer.status_code == 200, answer.text
    acts = [row.act for row in await rows_since(house, before)]
    assert f"read.{what}" in acts
    assert f"`read.{what}`" in PAGE


async def test_going_on_and_off_duty_stands_in_the_audit_without_who(house: House) -> None:
    before = await stands(house)
    async with house.http(await house.token("moira")) as http:
        assert (await http.put("/api/duty", json={"minutes": 30})).status_code == 200
        assert (await http.delete("/api/duty")).status_code == 204
    rows = await rows_since(house, before)
    assert [(row.act, row.by, row.about) for row in rows] == [
        ("duty.begun", "moderator", None),
        ("duty.ended", "moderator", None),
    ]
    assert all(f"`{row.act}`" in PAGE for row in rows)


def test_what_an_operator_prints_or_looks_through_stands_in_the_audit(
    filled: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(filled, tmp_path / "copy")
    environ = {"LOUNGE_DATA": str(folder)}
    for command in (["export", "world"], ["search", "xylophone"]):
        CliRunner().invoke(main, command, env=environ)
    rows = sqlite3.connect(folder / "lounge.db").execute(
        'SELECT act, "by", about, detail FROM lounge_audit WHERE seq > 5 ORDER BY seq'
    )
    assert list(rows) == [
        ("read.export", "operator", "world", "{}"),
        ("read.search", "operator", None, "{}"),
    ]


async def test_what_nobody_may_read_is_not_said_to_have_been_read(house: House) -> None:
    before = await stands(house)
    async with house.http(await house.token("ana")) as http:
        for path in READS:
            assert (await http.get(path)).status_code == 403
    assert await rows_since(house, before) == []
