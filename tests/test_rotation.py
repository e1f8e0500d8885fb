"""A key file gets a new line on top: everything sealed follows, what is computed stays as it is."""

from __future__ import annotations

import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lounge import rotation
from lounge.belongings import Belongings
from lounge.keys import KeyFault, Keyring, Keys, add_key, open_keys, read_keyring
from lounge.notices import Notices, letter, note
from lounge.rotation import SEALED, Counted
from storage import outbox
from storage.identity_schema import IDENTITY
from storage.schema import LOUNGE
from tests.stores import Stores, add_ana, doctor_by, open_stores

ROOT = Path(__file__).parents[1]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Stores]:
    """Stores with key files of their own: a rotation changes them."""
    async with open_stores(tmp_path) as stores:
        yield stores


async def fill(stores: Stores) -> str:
    """Something sealed of every kind that is at hand: belongings, two notices, a letter on its way."""
    await add_ana(stores.doctors())
    ana = (await doctor_by(stores, "ana@clinic.test")).id
    belongings = Belongings(stores.identity, stores.keys)
    shelf = await belongings.of(ana)
    shelf.pin("world", True)
    await belongings.close()
    async with stores.identity.writing() as connection:
        for notice in ("officer", "officer_no_more"):
            await note(connection, stores.keys, ana, {"notice": notice})
    async with stores.lounge.writing() as connection:
        await outbox.put(connection, letter(stores.keys, ana, {"notice": "unmasked"}))
    return ana


async def reopened(stores: Stores) -> Keys:
    return await open_keys(stores.settings, stores.identity, stores.lounge)


def ignore(done: int, of: int) -> None:
    """No progress bar."""


async def rewrapped(stores: Stores, ring: Keyring) -> Counted:
    return await rotation.rewrap(stores.identity, stores.lounge, ring, ignore)


async def checked(stores: Stores, ring: Keyring) -> Counted:
    return await rotation.check(stores.identity, stores.lounge, ring)


def test_a_new_key_goes_on_top_and_the_file_stays_its_owners(house: Stores) -> None:
    path = house.settings.secret_file
    before = path.read_text().splitlines()
    add_key(path)
    after = path.read_text().splitlines()
    assert after[0] == before[0]
    assert after[2:] == before[1:]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_no_key_file_is_not_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("Tuesday\n")
    path.chmod(0o600)
    with pytest.raises(KeyFault):
        add_key(path)
    assert path.read_text() == "Tuesday\n"


async def test_rotation_wraps_everything_anew_and_keeps_what_is_in_it(
    house: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "_PAGE", 1)  # so that there is a next page
    ana = await fill(house)
    add_key(house.settings.secret_file)
    keys = await reopened(house)
    assert await checked(house, keys.identity) == Counted(older=4)
    assert await rewrapped(house, keys.identity) == Counted(older=4)
    assert await checked(house, keys.identity) == Counted(newest=4)
    only_new = Keys(Keyring(keys.identity._keys[:1]), keys.persona)
    assert "world" in (await Belongings(house.identity, only_new).of(ana)).pinned
    assert [n.notice for n in await Notices(house.identity, only_new).page(ana)] == [
        {"notice": "officer"},
        {"notice": "officer_no_more"},
    ]


async def test_rotation_may_be_cut_off_and_gone_on_with(house: Stores) -> None:
    await fill(house)
    add_key(house.settings.secret_file)
    keys = await reopened(house)
    seen: list[int] = []

    class CutOff(Exception):  # noqa: N818 - nothing is wrong
        pass

    def cut(done: int, of: int) -> None:
        seen.append(done)
        raise CutOff

    with pytest.raises(CutOff):
        await rotation.rewrap(house.identity, house.lounge, keys.identity, cut)
    assert seen == [1]
    assert await rewrapped(house, keys.identity) == Counted(newest=1, older=3)


async def test_what_is_computed_from_a_key_never_changes(house: Stores) -> None:
    labels = ("persona", "sanction", "receipt", "author", "licence", "private log")
    before = [(r.subkey(each), r.check()) for each in labels for r in _rings(house.keys)]
    for path in (house.settings.secret_file, house.settings.persona_secret_file):
        add_key(path)
        add_key(path)
    keys = await reopened(house)
    assert [(r.subkey(each), r.check()) for each in labels for r in _rings(keys)] == before


async def test_a_process_that_is_running_reads_what_a_newer_key_sealed(house: Stores) -> None:
    running = house.keys.identity
    sealed = running.seal("things", b"before")
    add_key(house.settings.secret_file)
    newer = read_keyring(house.settings.secret_file).seal("things", b"after")
    assert running.unseal("things", newer) == b"after"
    assert running.unseal("things", sealed) == b"before"
    assert running.is_newest("things", running.seal("things", b"now"))
    assert not running.is_newest("things", sealed)


async def test_a_running_process_takes_no_key_from_a_file_of_another_house(house: Stores) -> None:
    running = house.keys.identity
    path = house.settings.secret_file
    stranger = Keyring([b"s" * 32])
    path.write_text("c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M\n")
    with pytest.raises(KeyFault):
        running.unseal("things", stranger.seal("things", b"planted"))
    assert running.subkey("persona") != stranger.subkey("persona")


async def test_what_no_key_of_the_file_opens_is_counted_and_left_alone(house: Stores) -> None:
    await fill(house)
    stranger = Keys(Keyring([b"s" * 32]), Keyring([b"s" * 32]))
    async with house.lounge.writing() as connection:
        await outbox.put(connection, letter(stranger, "ben", {"notice": "officer"}))
    assert await rewrapped(house, house.keys.identity) == Counted(newest=4, unknown=1)


def test_every_table_that_holds_something_sealed_is_known_to_the_rotation() -> None:
    sealed = {
        table.name
        for tables in (IDENTITY.tables, LOUNGE.tables)
        for table in tables.values()
        if "sealed" in table.columns
    }
    assert {each.table.name for each in SEALED} == sealed - {"persona"}  # that one is the officers'


def _rings(keys: Keys) -> tuple[Keyring, Keyring]:
    return keys.identity, keys.persona


def test_each_is_known_by_a_label_that_something_is_sealed_under() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "lounge").rglob("*.py"))
    source = source.replace((ROOT / "lounge" / "rotation.py").read_text("utf-8"), "")
    named = set(
        re.findall(
            r'^_(?:LABEL|ENTRY|LETTER|CALL|ADDRESS)(?:, _\w+)* = "([^"]+)"', source, re.MULTILINE
        )
    )
    assert {each.label for each in SEALED} <= named
