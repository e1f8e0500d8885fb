"""`lounge serve`: what it refuses, what it starts again, and that nothing outlives it."""

from __future__ import annotations

import signal
import socket
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest
import redis

from lounge.settings import Settings, from_environment
from tests.processes import Run, Running, wait_until_gone
from web.server import serve


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return from_environment({"LOUNGE_DATA": str(tmp_path)})


@pytest.fixture
def server(run: Run, tmp_path: Path) -> Running:
    return run("-m", "tests.standin", "0", "1", "build", LOUNGE_DATA=str(tmp_path), REDIS_URL="")


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


def test_several_workers_need_postgresql(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve(settings, port=0, workers=2) == 1
    assert "PostgreSQL" in capsys.readouterr().err


def test_several_workers_share_one_address_and_one_valkey(run: Run, tmp_path: Path) -> None:
    database = "postgresql+asyncpg://nowhere/nothing"  # the stand-in opens none
    server = run(
        *("-m", "tests.standin", "0", "2", "build"),
        LOUNGE_DATA=str(tmp_path),
        LOUNGE_DATABASE_URL=database,
        LOUNGE_IDENTITY_URL=database,
        REDIS_URL="",
    )
    _opened(server)
    workers = [each for each in server.descendants() if "web.worker" in each.cmdline()]
    assert len(workers) == 2
    assert len({each.environ()["REDIS_URL"] for each in workers}) == 1
    assert server.descendant("valkey-server")


def _opened(server: Running) -> str:
    return server.heard("The lounge is open at ").rpartition(" ")[2]


def _redis_url(server: Running) -> str:
    return str(server.descendant("web.worker").environ()["REDIS_URL"])
