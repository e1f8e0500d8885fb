"""The command line, as an operator types it."""

from __future__ import annotations

import json
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.processes import Run, Running
from web.cli import main

ADD = [
    *("doctor", "add", "--email", "ana@clinic.test", "--name", "Ana"),
    *("--country", "CA", "--specialty", "cardiology", "--verified"),
]
TEXTS = Path(__file__).with_name("texts.jsonl")
ROOMS = "specialty/cardiology,country/ca"

Lounge = Callable[..., Result]


@pytest.fixture
def lounge(tmp_path: Path) -> Lounge:
    """`lounge` with these arguments on data of this test's own."""

    def command(*arguments: str, **environ: str) -> Result:
        env = {"LOUNGE_DATA": str(tmp_path), "LOUNGE_DEMO": "", "LOUNGE_BENCH": "", **environ}
        return CliRunner().invoke(main, arguments, env=env)

    return command


def test_adding_a_doctor_prints_a_code(lounge: Lounge, tmp_path: Path) -> None:
    added = lounge(*ADD)
    assert added.exit_code == 0
    assert len(added.stdout.split()) == 1
    assert {path.name for path in tmp_path.glob("*.key")} == {"identity.key", "persona.key"}


def test_a_doctor_is_added_once(lounge: Lounge) -> None:
    lounge(*ADD)
    again = lounge(*ADD)
    assert again.exit_code == 1
    assert "ana@clinic.test" in again.stderr


def test_an_unknown_specialty_is_named(lounge: Lounge) -> None:
    refused = lounge(*["alchemy" if word == "cardiology" else word for word in ADD])
    assert refused.exit_code == 1
    assert "alchemy" in refused.stderr


def test_a_code_is_made_anew_and_rooms_are_opened_and_closed(lounge: Lounge) -> None:
    first = lounge(*ADD).stdout
    assert lounge("doctor", "code", "ana@clinic.test").stdout != first
    assert lounge("doctor", "verify", "ana@clinic.test", "--revoke").exit_code == 0
    assert lounge("doctor", "verify", "nobody@clinic.test").exit_code == 1


@pytest.mark.parametrize(
    "command",
    [
        "token ana@clinic.test",
        "populate --doctors 3 --tokens {folder}/tokens",
        f"replay {TEXTS} --rooms world",
    ],
)
def test_nobody_walks_in_as_somebody_else(lounge: Lounge, tmp_path: Path, command: str) -> None:
    lounge(*ADD)
    arguments = command.format(folder=tmp_path).split()
    refused = lounge(*arguments)
    assert refused.exit_code == 1
    assert "LOUNGE_BENCH=1" in refused.stderr
    assert not (tmp_path / "tokens").exists()


def test_a_bench_makes_tokens(lounge: Lounge, tmp_path: Path) -> None:
    lounge(*ADD)
    assert lounge("token", "ana@clinic.test", LOUNGE_BENCH="1").stdout.startswith("lounge_")
    file = tmp_path / "tokens"
    arguments = ("populate", "--doctors", "50", "--tokens", str(file))
    assert lounge(*arguments, LOUNGE_BENCH="1").exit_code == 0
    assert len(set(file.read_text().split())) == 50
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_wrong_key_file_is_told_in_one_sentence(lounge: Lounge, tmp_path: Path) -> None:
    lounge(*ADD)
    (tmp_path / "identity.key").unlink()
    refused = lounge("doctor", "code", "ana@clinic.test")
    assert refused.exit_code == 1
    assert "identity.key is missing" in refused.stderr
    assert "Traceback" not in refused.output


def test_a_bad_setting_is_told_in_one_sentence(lounge: Lounge) -> None:
    refused = lounge(*ADD, LOUNGE_BADGE_CROWD="some")
    assert refused.exit_code == 1
    assert "LOUNGE_BADGE_CROWD" in refused.stderr


def test_a_database_that_is_away_is_told_without_its_password(lounge: Lounge) -> None:
    away = "postgresql+asyncpg://lounge:hidden@127.0.0.1:1/lounge"
    refused = lounge("upgrade", LOUNGE_DATABASE_URL=away)
    assert refused.exit_code == 1
    assert "The database is away" in refused.stderr
    assert "hidden" not in refused.output


def test_a_large_database_is_upgraded_on_purpose(lounge: Lounge, postgres_database: str) -> None:
    refused = lounge(*ADD, LOUNGE_DATABASE_URL=postgres_database)
    assert refused.exit_code == 1
    assert "lounge upgrade" in refused.stderr
    assert lounge("upgrade", LOUNGE_DATABASE_URL=postgres_database).exit_code == 0
    assert lounge(*ADD, LOUNGE_DATABASE_URL=postgres_database).exit_code == 0


def test_a_replayed_conversation_is_exported_and_found_beside_the_running_server(
    lounge: Lounge, run: Run, tmp_path: Path
) -> None:
    server = run(
        *("-m", "web.cli", "serve", "--demo", "--port", "0"),
        LOUNGE_DATA=str(tmp_path),
        REDIS_URL="",
    )
    replayed = lounge(
        *("replay", str(TEXTS), "--rooms", ROOMS, "--doctors", "10", "--url", _opened(server))
    )
    assert replayed.exit_code == 0, replayed.output
    texts = [json.loads(line)["text"] for line in TEXTS.read_text().splitlines()]
    for n, room in enumerate(ROOMS.split(",")):
        events = _events(lounge("export", room))
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        said = "".join("".join(event["text"].split()) for event in events)
        assert said == "".join("".join(text.split()) for text in texts[n::2])
    hits = [line.split("\t") for line in lounge("search", "anticoagulate").stdout.splitlines()]
    assert ("specialty/cardiology", "1") in [(room, seq) for room, seq, *_ in hits]
    assert lounge("token", "ana@demo.invalid").stdout.startswith("lounge_")
    assert lounge("purge").stdout.count("written anew") == 2
    assert lounge("search", "anticoagulate").stdout.count("\n") == len(hits)
    server.signal(signal.SIGTERM)
    assert server.exit_code() == 0


def test_looking_for_nothing_is_refused(lounge: Lounge) -> None:
    assert lounge("search", "?!").exit_code == 1
    assert lounge("export", "specialty/cardiology").stdout == ""


def _opened(server: Running) -> str:
    return server.heard("The lounge is open at").split()[-1].replace("localhost", "127.0.0.1")


def _events(exported: Result) -> list[dict[str, Any]]:
    assert exported.exit_code == 0
    return [json.loads(line) for line in exported.stdout.splitlines()]
