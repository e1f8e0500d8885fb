"""Audits, officers, unmasking and keys, as they are typed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from nacl.pwhash import argon2id
from typer.testing import CliRunner, Result

from lounge import officer_keys, passwords
from lounge.officer_keys import Work
from lounge.settings import Settings, from_environment
from storage.database import Database
from storage.schema import lounge_audit
from tests.stores import QUICK, Stores, doctor_by, open_stores
from tests.test_unmasking import REASON, ROOM, SEQ, say
from web.cli import main

PHRASE = "four old boats at noon"
PEOPLE = ("ana", "olga", "omar")

Lounge = Callable[..., Result]


@pytest.fixture
def lounge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lounge:
    """`lounge` with these arguments, and these lines typed where it asks; keys made quickly."""
    quick = Work(argon2id.OPSLIMIT_MIN, argon2id.MEMLIMIT_MIN)
    monkeypatch.setattr(officer_keys.make_key, "__defaults__", (quick,))
    monkeypatch.setattr(passwords, "PasswordHasher", lambda: QUICK)

    def command(*arguments: str, typed: str = f"{PHRASE}\n") -> Result:
        env = {"LOUNGE_DATA": str(tmp_path), "LOUNGE_DEMO": "", "LOUNGE_BENCH": ""}
        return CliRunner().invoke(main, arguments, input=typed, env=env)

    return command


def shown(result: Result, word: str) -> str:
    """What stands after a word in what was printed."""
    assert result.exit_code == 0, result.stderr
    found = re.search(rf"^{word} (\S+)$", result.stdout, re.MULTILINE)
    assert found, result.stdout
    return found.group(1)


def keygen(lounge: Lounge, file: Path) -> str:
    made = lounge("officer", "keygen", str(file), typed=f"{PHRASE}\n{PHRASE}\n")
    assert made.exit_code == 0, made.stderr
    return made.stdout.strip()


def furnish(folder: Path) -> None:
    """Three doctors, and one say of Ana's from before there were officers."""

    async def furnished() -> None:
        async with open_stores(folder) as stores:
            for name in PEOPLE:
                await _doctor(stores, name)
            await say(stores, (await doctor_by(stores, "ana@clinic.test")).id, None)

    asyncio.run(furnished())


async def _doctor(stores: Stores, name: str) -> None:
    await stores.doctors().add(
        email=f"{name}@clinic.test",
        name=name.title(),
        country="CA",
        specialty="cardiology",
        verified=True,
    )


def test_two_officers_on_two_machines_unmask_by_typing(lounge: Lounge, tmp_path: Path) -> None:
    furnish(tmp_path)
    files = {name: tmp_path / f"{name}.key" for name in ("olga", "omar")}
    public = {name: keygen(lounge, file) for name, file in files.items()}
    two = [*("--first", "olga@clinic.test", public["olga"])]
    two += ["--second", "omar@clinic.test", public["omar"]]
    enrolled = lounge("officer", "enrol", *two)
    assert "1 personas sealed" in enrolled.stdout

    asked = lounge("unmask", "request", "--room", ROOM, "--seq", str(SEQ), "--reason", REASON)
    id = shown(asked, "request")
    wrong = lounge("unmask", "approve", id, "--key", str(files["olga"]))
    assert (wrong.exit_code, "does not open" in wrong.stderr) == (1, True)
    found = lounge("officer", "open", str(files["omar"]), "--box", shown(asked, "box"))
    box = shown(lounge("unmask", "approve", id, "--line", found.stdout.strip()), "box")
    opened = lounge("unmask", "open", id, "--box", box, "--key", str(files["olga"]))
    assert opened.stdout.strip() == f"{ROOM} {SEQ}: Ana, ana@clinic.test"

    verified = lounge("audit", "verify")
    assert verified.exit_code == 0
    assert "lounge: 4 rows" in verified.stdout


def test_verify_names_the_row_and_fails(lounge: Lounge, tmp_path: Path) -> None:
    furnish(tmp_path)
    lounge("unmask", "request", "--room", ROOM, "--seq", str(SEQ), "--reason", REASON)
    anchor = tmp_path / "kept elsewhere"
    head = lounge("audit", "head").stdout
    assert re.search(r"^lounge 1 [0-9a-f]{64}$", head, re.MULTILINE)
    anchor.write_text(head)
    asyncio.run(_wipe(from_environment({"LOUNGE_DATA": str(tmp_path)})))
    broken = lounge("audit", "verify", "--anchor", str(anchor))
    assert broken.exit_code == 1
    assert "lounge: row 1 is cut off." in broken.stdout


async def _wipe(settings: Settings) -> None:
    database = Database(settings.database_url)
    async with database.writing() as connection:
        await connection.execute(lounge_audit.delete())
    await database.close()


def test_a_key_is_rotated_and_checked(lounge: Lounge, tmp_path: Path) -> None:
    assert lounge("key", "rotate").exit_code == 0
    assert lounge("key", "rotate", "--again").exit_code == 0
    assert len((tmp_path / "identity.key").read_text().splitlines()) == 3
    assert lounge("key", "check").exit_code == 0


def test_a_way_to_open_is_a_key_or_a_line(lounge: Lounge) -> None:
    neither = lounge("unmask", "approve", "0123456789abcdef")
    assert (neither.exit_code, "--key or --line" in neither.stderr) == (1, True)
