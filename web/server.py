"""`lounge serve`: what must hold before the lounge opens, and then the supervisor.

One server process is a supervisor that serves nothing itself: it binds the address, runs Valkey
where no REDIS_URL is set, and keeps the workers, which answer, alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import ipaddress
import os
import resource
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lounge.settings import DEFAULT_ORIGINS, Settings
from web.post import say
from web.supervisor import Supervisor

_ROOT = Path(__file__).parents[1]
_APPLICATION = "web.app:build"
_DEMONSTRATION = "web.showing:build"
_BACKLOG = 2048
_SEND_BUFFER_BYTES = 128 * 1024
_LOCK_SECONDS = 3.0  # a worker whose supervisor was killed is gone by then
_DESCRIPTORS = 65_536


class CannotServe(Exception):  # noqa: N818 - a reason, said to the operator as it stands
    """The lounge stays closed; the message says why and what to change."""


def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    demo: bool = False,
    application: str | None = None,
) -> int:
    """Serves until SIGTERM or SIGINT and returns the exit code: 0 after an orderly stop, 1 when it
    could not open. Says what it does on stdout.
    """
    settings = replace(settings, demo=demo or settings.demo)
    application = application or (_DEMONSTRATION if settings.demo else _APPLICATION)
    try:
        _check(settings, host, workers)
        _raise_descriptor_limit()
        _say_what_is_special(settings, host)
        with _only_one(settings) as locks, _listening(host, port) as listener:
            port = listener.getsockname()[1]
            environ = _environment(settings, port)
            overlapping = not _on_sqlite(settings)
            supervisor = Supervisor(
                listener, workers, environ, application, locks, overlapping=overlapping
            )
            asyncio.run(supervisor.run(_address(host, port)))
    except (CannotServe, RuntimeError) as reason:
        print(f"The lounge stays closed. {reason}", file=sys.stderr)
        return 1
    say("The lounge is closed.")
    return 0


def _check(settings: Settings, host: str, workers: int) -> None:
    if settings.synthetic and not _is_loopback(host):
        what = "A demonstration" if settings.demo else "LOUNGE_BENCH=1"
        raise CannotServe(
            f"{what} lets anybody in as anybody, so it is served on this machine only: "
            f"leave out --host, or give 127.0.0.1 instead of {host}."
        )
    if workers < 1:
        raise CannotServe("--workers must be at least 1.")
    if workers > 1:
        _check_several(settings)


def _check_several(settings: Settings) -> None:
    missing = []
    if _on_sqlite(settings):
        missing.append(
            "SQLite takes one server process: for more workers set LOUNGE_DATABASE_URL and "
            "LOUNGE_IDENTITY_URL to PostgreSQL."
        )
    if not settings.redis_url:
        missing.append(
            "Several workers hear of each other through Redis, and the Valkey that `lounge serve` "
            "starts by itself is made for one: for more workers set REDIS_URL."
        )
    if missing:
        raise CannotServe(" ".join(missing))


def _raise_descriptor_limit() -> None:
    """Every connection takes a descriptor, and many systems begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(hard, _DESCRIPTORS) if hard != resource.RLIM_INFINITY else _DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _say_what_is_special(settings: Settings, host: str) -> None:
    if settings.demo:
        print("This is a demonstration: made-up doctors, and anybody here may be any of them.")
    if settings.bench:
        print("LOUNGE_BENCH=1: limits are lifted, and rooms bench/<n> are open.")
    if settings.origins == DEFAULT_ORIGINS and not _is_loopback(host):
        print("Browsers may come from this machine only: LOUNGE_ORIGINS names where they may.")


@contextlib.contextmanager
def _only_one(settings: Settings) -> Iterator[tuple[int, ...]]:
    """Holds the data folder's lock where the data are SQLite. The descriptors go to the workers
    too: one that outlives a killed supervisor for a moment still holds the data.
    """
    if not _on_sqlite(settings):
        yield ()
        return
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(settings.data / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(lock, settings.data)
        yield (lock,)
    finally:
        os.close(lock)


def _take(lock: int, folder: Path) -> None:
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise CannotServe(
                    f"Another `lounge serve` already works on {folder}, and SQLite takes one "
                    "server process. Stop that one, or set LOUNGE_DATA to another folder."
                ) from None
            time.sleep(0.05)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
        # accepted sockets inherit it: left to itself, Linux keeps up to 4 MiB for one stalled reader
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    except OSError as problem:
        raise CannotServe(_why_not(host, port, problem)) from None
    with listener:
        yield listener


def _why_not(host: str, port: int, problem: OSError) -> str:
    if problem.errno == errno.EADDRINUSE:
        return f"Port {port} is taken: another program listens there. Choose one with --port."
    if problem.errno == errno.EACCES:
        return f"Port {port} needs rights that this user lacks. Choose one above 1023 with --port."
    return f"Cannot listen on {host}, port {port}: {problem.strerror or problem}."


def _environment(settings: Settings, port: int) -> dict[str, str]:
    """What the workers read their settings from, and the tree that they are to run."""
    environ = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")])),
        "LOUNGE_DATA": str(settings.data),
        "LOUNGE_DATABASE_URL": settings.database_url,
        "LOUNGE_IDENTITY_URL": settings.identity_url,
        "LOUNGE_DEMO": "1" if settings.demo else "",
    }
    if settings.redis_url:
        environ["REDIS_URL"] = settings.redis_url
    if settings.origins == DEFAULT_ORIGINS:
        environ["LOUNGE_ORIGINS"] = f"http://localhost:{port},http://127.0.0.1:{port}"
    return environ


def _on_sqlite(settings: Settings) -> bool:
    return any(url.startswith("sqlite") for url in (settings.database_url, settings.identity_url))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(host: str, port: int) -> str:
    if _is_loopback(host):
        return f"http://localhost:{port}"  # passkeys and the default origins go by this name
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
