"""What every command of the command line does: settings in, one sentence out when something is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress

from lounge.audit import AnchorFault
from lounge.credentials.layouts import LayoutFault
from lounge.credentials.snapshots import ImportFault
from lounge.credentials.verification import VerificationFileError
from lounge.errors import Refusal, StorageError
from lounge.keys import KeyFault
from lounge.opening import NotUpgraded
from lounge.rooms import RoomsFileError
from lounge.settings import Settings, from_environment
from lounge.words import say
from web.replay import ReplayFault, Unreachable

T = TypeVar("T")


def settings() -> Settings:
    """From the environment."""
    try:
        return from_environment()
    except ValueError as fault:
        say_and_leave(str(fault))


def run(work: Coroutine[Any, Any, T]) -> T:
    """The only place where a command's faults end: a sentence on stderr and exit code 1."""
    try:
        return asyncio.run(work)
    except Refusal as refusal:
        say_and_leave(say(refusal.key, "en", **refusal.values))
    except StorageError as fault:
        say_and_leave(f"The database is away, full or locked: {fault}.")
    except (
        AnchorFault,
        ImportFault,
        KeyFault,
        LayoutFault,
        NotUpgraded,
        ReplayFault,
        RoomsFileError,
        Unreachable,
        VerificationFileError,
    ) as reason:
        say_and_leave(str(reason))


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, to be told how much is done, and of how much."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def say_and_leave(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
