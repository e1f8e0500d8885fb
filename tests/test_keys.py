"""Key files: made once, kept to oneself, rotated without changing what was computed before."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from lounge.keys import KeyFault, Keyring, make_key_file, open_keys, read_keyring
from lounge.settings import from_environment
from tests.stores import open_stores

OLD, NEW = b"o" * 32, b"n" * 32


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_rotated_keyring_keeps_its_subkeys() -> None:
    assert Keyring([NEW, OLD]).subkey("persona") == Keyring([OLD]).subkey("persona")
    assert Keyring([NEW, OLD]).check() == Keyring([OLD]).check()


def test_subkeys_of_two_labels_differ() -> None:
    assert Keyring([OLD]).subkey("one") != Keyring([OLD]).subkey("other")


def test_what_an_older_key_sealed_opens_after_rotation() -> None:
    sealed = Keyring([OLD]).seal("things", b"mine", b"whose")
    assert Keyring([NEW, OLD]).unseal("things", sealed, b"whose") == b"mine"


def test_a_rotated_keyring_seals_with_its_newest_key() -> None:
    sealed = Keyring([NEW, OLD]).seal("things", b"mine")
    assert Keyring([NEW]).unseal("things", sealed) == b"mine"


def test_the_same_thing_sealed_twice_looks_different() -> None:
    ring = Keyring([OLD])
    assert ring.seal("things", b"mine") != ring.seal("things", b"mine")


@pytest.mark.parametrize(
    ("label", "about", "flip"),
    [("other", b"whose", False), ("things", b"another", False), ("things", b"whose", True)],
)
def test_a_sealed_thing_opens_only_as_it_was_sealed(label: str, about: bytes, flip: bool) -> None:
    sealed = bytearray(Keyring([OLD]).seal("things", b"mine", b"whose"))
    sealed[-1] ^= flip
    with pytest.raises(KeyFault):
        Keyring([OLD]).unseal(label, bytes(sealed), about)


def test_too_short_a_sealed_thing_is_a_fault_too() -> None:
    with pytest.raises(KeyFault):
        Keyring([OLD]).unseal("things", b"")


def test_a_made_key_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "key"
    make_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_keyring(path).check()
    assert [each.name for each in path.parent.iterdir()] == ["key"]


def test_making_a_key_file_never_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "key"
    make_key_file(path)
    before = path.read_bytes()
    make_key_file(path)
    assert path.read_bytes() == before


def test_a_key_file_lists_the_newest_first_and_may_hold_comments(tmp_path: Path) -> None:
    new, old = "bm5u" * 10 + "bm4", "b29v" * 10 + "b28"
    path = write(tmp_path / "key", f"# two keys\n{new}\n\n{old}=\n")
    assert read_keyring(path).check() == Keyring([OLD]).check()
    assert Keyring([NEW]).unseal("a", read_keyring(path).seal("a", b"b")) == b"b"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "key", "bm5u" * 10 + "bm4", mode)
    with pytest.raises(KeyFault, match="chmod 600"):
        read_keyring(path)


@pytest.mark.parametrize("text", ["", "# nothing\n", "short\n", "not base64 at all!\n", "é\n"])
def test_a_file_without_good_keys_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyFault):
        read_keyring(write(tmp_path / "key", text))


async def test_the_first_start_makes_both_files_and_the_next_reads_them(tmp_path: Path) -> None:
    async with open_stores(tmp_path) as stores:
        again = await open_keys(stores.settings, stores.identity, stores.lounge)
        assert again.persona.subkey("x") == stores.keys.persona.subkey("x")
        assert again.persona.subkey("x") != again.identity.subkey("x")


@pytest.mark.parametrize("which", ["secret_file", "persona_secret_file"])
async def test_a_lost_key_file_is_not_replaced_by_a_new_one(tmp_path: Path, which: str) -> None:
    async with open_stores(tmp_path) as stores:
        path: Path = getattr(stores.settings, which)
        os.unlink(path)
        with pytest.raises(KeyFault, match="missing"):
            await open_keys(stores.settings, stores.identity, stores.lounge)
        assert path.name not in os.listdir(tmp_path)


@pytest.mark.parametrize("which", ["secret_file", "persona_secret_file"])
async def test_a_wrong_key_file_is_told_at_start(tmp_path: Path, which: str) -> None:
    async with open_stores(tmp_path) as stores:
        path: Path = getattr(stores.settings, which)
        os.unlink(path)
        make_key_file(path)
        with pytest.raises(KeyFault, match="not the key"):
            await open_keys(stores.settings, stores.identity, stores.lounge)


async def test_a_key_file_outside_the_data_folder_is_never_made(tmp_path: Path) -> None:
    data = from_environment({"LOUNGE_DATA": str(tmp_path / "data")})
    elsewhere = tmp_path / "vault" / "key"
    async with open_stores(tmp_path / "other") as stores:
        fresh = replace(data, secret_file=elsewhere)
        async with stores.identity.writing() as connection:
            await connection.exec_driver_sql("DELETE FROM fact")
        with pytest.raises(KeyFault, match="missing"):
            await open_keys(fresh, stores.identity, stores.lounge)
    assert not elsewhere.exists()
