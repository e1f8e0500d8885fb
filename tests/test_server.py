"""`lounge serve`: what it refuses, what it starts again or afresh, and that nothing outlives it."""

from __future__ import annotations

import os
import pty
import signal
import socket
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil
import pytest
import redis

from lounge.settings import Settings, from_environment
from tests.processes import Run, Running, wait_until_gone
from web import ending
from web.server import serve

STAND_IN = ("-m", "tests.standin", "0", "1", "build")
POSTGRES = "postgresql+asyncpg://nowhere/nothing"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return from_environment({"LOUNGE_DATA": str(tmp_path)})


@pytest.fixture
def server(run: Run, tmp_path: Path) -> Running:
    return run(*STAND_IN, LOUNGE_DATA=str(tmp_path), REDIS_URL="")


def test_it_says_where_it_is_open_and_answers_there(server: Running) -> None:
    with urlopen(_opened(server)) as answer:
        assert answer.read() == b"here"
    assert server.said[0].startswith("REDIS_URL is not set")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends_everything(server: Running, number: int) -> None:
    _opened(server)
    family, folder = server.descendants(), Path(_redis_url(server).removeprefix("unix://")).parent
    assert folder.exists()
    server.signal(number)
    assert server.exit_code() == 0
    assert "drained" in server.said
    wait_until_gone(family)
    assert not folder.exists()


def test_kill_9_of_the_supervisor_ends_the_worker_and_valkey(server: Running) -> None:
    _opened(server)
    family = server.descendants()
    server.signal(signal.SIGKILL)
    wait_until_gone(family)
    assert len(family) >= 2


def test_a_killed_valkey_comes_back_at_the_same_address(server: Running) -> None:
    _opened(server)
    url = _redis_url(server)
    server.descendant("valkey-server").kill()
    server.heard("Valkey is back.")
    with redis.from_url(url) as client:
        assert client.ping()


def test_a_killed_worker_comes_back(server: Running) -> None:
    address = _opened(server)
    server.descendant("web.worker").kill()
    server.heard("Worker 1 is back.")
    with urlopen(address) as answer:
        assert answer.read() == b"here"


def test_an_application_that_cannot_start_keeps_the_lounge_closed(run: Run, tmp_path: Path) -> None:
    server = run("-m", "tests.standin", "0", "1", "broken", LOUNGE_DATA=str(tmp_path), REDIS_URL="")
    assert server.exit_code() == 1
    assert "ValueError: no such thing" in server.said
    assert server.said[-1].startswith("The lounge stays closed.")


def test_a_second_server_on_the_same_sqlite_folder_is_refused(
    server: Running, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    _opened(server)
    assert serve(settings, port=0) == 1
    assert "SQLite takes one server process" in capsys.readouterr().err


def test_a_taken_port_is_named(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert serve(settings, port=port) == 1
    assert f"Port {port} is taken" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "lounge.example"])
@pytest.mark.parametrize("mode", ["demo", "bench"])
def test_what_lets_anybody_in_is_served_on_loopback_only(
    settings: Settings, capsys: pytest.CaptureFixture[str], host: str, mode: str
) -> None:
    open_to_anybody = replace(settings, demo=mode == "demo", bench=mode == "bench")
    assert serve(open_to_anybody, host=host, port=0) == 1
    assert "on this machine only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("database", "redis_url", "missing"),
    [
        ("sqlite+aiosqlite:///lounge.db", "unix:///redis", {"PostgreSQL"}),
        (POSTGRES, None, {"REDIS_URL"}),
        ("sqlite+aiosqlite:///lounge.db", None, {"PostgreSQL", "REDIS_URL"}),
    ],
)
def test_several_workers_need_postgresql_and_a_redis(
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    database: str,
    redis_url: str | None,
    missing: set[str],
) -> None:
    asked = replace(settings, database_url=database, identity_url=database, redis_url=redis_url)
    assert serve(asked, port=0, workers=2) == 1
    said = capsys.readouterr().err
    assert {word for word in ("PostgreSQL", "REDIS_URL") if word in said} == missing


def test_several_workers_share_one_address_and_one_redis(run: Run, tmp_path: Path) -> None:
    server = _on_postgres(run, tmp_path, workers=2)
    with urlopen(_opened(server)) as answer:
        assert answer.read() == b"here"
    workers = _workers(server)
    assert len(workers) == 2
    assert {each.environ()["REDIS_URL"] for each in workers} == {"unix:///nowhere"}


# -- fresh workers -------------------------------------------------------------------------------


def test_a_hangup_has_each_worker_followed_by_a_fresh_one(run: Run, tmp_path: Path) -> None:
    server = _on_postgres(run, tmp_path, workers=2)
    address, old = _opened(server), _workers(server)
    server.signal(signal.SIGHUP)
    server.heard("Renewed")
    wait_until_gone(old)
    assert len(_workers(server)) == 2
    assert server.said.count("drained") == 2
    assert server.said.index("drained") < server.said.index("Worker 2 is followed by a fresh one.")
    with urlopen(address) as answer:
        assert answer.read() == b"here"


def test_on_sqlite_the_old_worker_is_gone_before_the_new_one_starts(server: Running) -> None:
    address, old = _opened(server), _workers(server)
    server.signal(signal.SIGHUP)
    server.heard("it stops first")
    server.heard("drained")
    server.heard("Renewed")
    wait_until_gone(old)
    with urlopen(address) as answer:
        assert answer.read() == b"here"
    assert not [line for line in server.said if line.startswith("Worker 1 ended")]


@pytest.mark.parametrize("how", ["broken", pytest.param("hung", marks=pytest.mark.long)])
def test_a_successor_that_does_not_start_leaves_the_old_worker(
    run: Run, tmp_path: Path, how: str
) -> None:
    server = _on_postgres(run, tmp_path, READY_SECONDS="5")
    address, old = _opened(server), _workers(server)
    (tmp_path / how).touch()
    server.signal(signal.SIGHUP)
    server.heard("The old one stays.")
    assert _workers(server) == old
    with urlopen(address) as answer:
        assert answer.read() == b"here"


@pytest.mark.long
def test_on_sqlite_a_successor_that_does_not_start_is_tried_again(
    server: Running, tmp_path: Path
) -> None:
    address = _opened(server)
    (tmp_path / "broken").touch()
    server.signal(signal.SIGHUP)
    server.heard("It is tried again.")
    (tmp_path / "broken").unlink()
    server.heard("Worker 1 is back.")
    with urlopen(address) as answer:
        assert answer.read() == b"here"


@pytest.mark.long
def test_hangups_during_a_renewal_make_one_more(run: Run, tmp_path: Path) -> None:
    server = _on_postgres(run, tmp_path)
    _opened(server)
    server.signal(signal.SIGHUP)
    server.heard("is followed")
    for _ in range(3):
        server.signal(signal.SIGHUP)
    server.heard("Renewed")
    server.heard("Renewed")
    server.signal(signal.SIGTERM)
    assert server.exit_code() == 0
    assert len([line for line in server.said if "is followed" in line]) == 2


@pytest.mark.long
def test_sigterm_during_a_renewal_ends_everything_in_order(run: Run, tmp_path: Path) -> None:
    server = _on_postgres(run, tmp_path)
    _opened(server)
    server.signal(signal.SIGHUP)
    server.heard("is followed")
    family = server.descendants()
    server.signal(signal.SIGTERM)
    assert server.exit_code() == 0
    assert "drained" in server.said
    wait_until_gone(family)


@pytest.mark.long
def test_a_terminal_that_closes_stops_the_lounge(run: Run, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    server = run(*STAND_IN, stdin=theirs, LOUNGE_DATA=str(tmp_path), REDIS_URL="")
    os.close(theirs)
    _opened(server)
    server.signal(signal.SIGHUP)
    server.heard("Renewed")
    os.close(ours)
    server.signal(signal.SIGHUP)
    assert server.exit_code() == 0


# -- a worker that does not move -----------------------------------------------------------------


@pytest.mark.parametrize("how", ["stuck", pytest.param("paused", marks=pytest.mark.long)])
def test_a_worker_that_does_not_move_is_ended_and_replaced(
    run: Run, tmp_path: Path, how: str
) -> None:
    server = run(*STAND_IN, LOUNGE_DATA=str(tmp_path), REDIS_URL="", SILENT_LOOKS="3")
    address, old = _opened(server), _workers(server)
    if how == "paused":
        old[0].suspend()
    else:
        with socket.create_connection(("127.0.0.1", urlsplit(address).port or 0)) as asking:
            asking.sendall(b"GET /stuck HTTP/1.1\r\nHost: localhost\r\n\r\n")
    server.heard("Worker 1 has not moved for 3 seconds and is ended.")
    server.heard("Worker 1 is back.")
    wait_until_gone(old)
    with urlopen(address) as answer:
        assert answer.read() == b"here"


def test_the_stages_of_an_end_fit_into_what_is_promised() -> None:
    stages = ending.DRAIN_SECONDS + ending.ANSWER_SECONDS + ending.PUT_AWAY_SECONDS
    assert stages < ending.STOP_SECONDS < ending.PROMISED_SECONDS == 15


def _on_postgres(run: Run, folder: Path, workers: int = 1, **environ: str) -> Running:
    """The stand-in opens no database and no Redis, but may overlap as if it did."""
    return run(
        *("-m", "tests.standin", "0", str(workers), "build"),
        LOUNGE_DATA=str(folder),
        LOUNGE_DATABASE_URL=POSTGRES,
        LOUNGE_IDENTITY_URL=POSTGRES,
        REDIS_URL="unix:///nowhere",
        **environ,
    )


def _workers(server: Running) -> list[psutil.Process]:
    return [each for each in server.descendants() if "web.worker" in each.cmdline()]


def _opened(server: Running) -> str:
    return server.heard("The lounge is open at ").rpartition(" ")[2]


def _redis_url(server: Running) -> str:
    return str(server.descendant("web.worker").environ()["REDIS_URL"])
