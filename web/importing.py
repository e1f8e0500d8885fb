"""`lounge register import`: a register from a file or a pipe, with a bar and the broken rows."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from lounge.credentials.layouts import layout_of
from lounge.credentials.rows import Rows
from lounge.credentials.snapshots import Import, Imported, ImportFault, Telling
from lounge.office import Office, open_office
from web.shell import run, settings

MOST_SHOWN = 100
_READ_AHEAD_BYTES = 1024 * 1024


register = typer.Typer(no_args_is_help=True, help="Registers that licences are looked up in.")


@register.command("import")
def import_file(
    source: Annotated[str, typer.Argument(metavar="FILE", help="The register; - for a pipe.")],
    layout: Annotated[str, typer.Option(help="nppes, gmc, or a mapping's TOML file.")],
    smaller: Annotated[
        bool, typer.Option("--smaller", help="The register has shrunk to less than half.")
    ] = False,
) -> None:
    """Take a new snapshot of a register; whoever looks up meanwhile reads the one before."""

    async def imported() -> str:
        async with open_office(settings()) as desk:
            return await import_register(desk, source, layout, smaller=smaller)

    typer.echo(run(imported()))


async def import_register(desk: Office, source: str, layout: str, *, smaller: bool = False) -> str:
    """What came of it, in a sentence. `source` is a file or `-`. Raises ImportFault, LayoutFault."""
    with _opened(source) as stream, _told(_length(stream)) as telling:
        rows = Rows(stream, layout_of(layout))
        done = await Import(desk.identity, rows, telling, smaller=smaller).run()
    return summary(rows.layout.register, done)


def summary(register: str, done: Imported) -> str:
    """As it is printed at the end."""
    parts = [f"{register}: {done.entries:,} rows are looked up from now on."]
    if done.broken:
        parts.append(f"{done.broken:,} broken rows were passed over.")
    if done.cleared:
        parts.append(f"{done.cleared:,} rows of older snapshots were cleared.")
    return " ".join(parts)


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    if source == "-":
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(source).open("rb", buffering=_READ_AHEAD_BYTES))
        except OSError as fault:
            raise ImportFault(f"{source} cannot be read: {fault.strerror}") from None
        yield file


def _length(stream: BinaryIO) -> int | None:
    """In bytes; None for a pipe."""
    try:
        told = os.fstat(stream.fileno())
    except (OSError, io.UnsupportedOperation):
        return None
    return told.st_size if stat.S_ISREG(told.st_mode) else None


@contextmanager
def _told(length: int | None) -> Iterator[Telling]:
    """A bar where somebody watches; broken rows are printed above it."""
    console = Console(stderr=True, highlight=False, markup=False)
    shown = 0

    def broken(line: int, reason: str) -> None:
        nonlocal shown
        shown += 1
        if shown <= MOST_SHOWN:
            console.print(f"line {line}: {reason}")
        elif shown == MOST_SHOWN + 1:
            console.print("… and more, counted at the end")

    def read(taken_bytes: int, taken: int) -> None:
        bar.update(reading, completed=taken_bytes, rows=f"{taken:,} rows")

    def clearing(dropped: int) -> None:
        bar.update(reading, description="Clearing the old", rows=f"{dropped:,} rows")

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bar:
        reading = bar.add_task("Importing", total=length, rows="")
        yield Telling(broken, read, clearing)
