"""The command line of receipts: checking one with the public key alone, without a lounge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lounge.receipts import Receipt, ReceiptFault, check
from web.shell import say_and_leave

receipt = typer.Typer(no_args_is_help=True, help="Check signed receipts of advice.")


@receipt.callback()
def receipts() -> None:
    """Check signed receipts of advice."""


@receipt.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The receipt.")],
    key: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="GET /api/receipts/key, in a file.")
    ],
) -> None:
    """Tell whether the lounge of that key signed a receipt, and what it says; exit code 1 if not."""
    try:
        found = check(file.read_bytes(), _key(key))
    except (ReceiptFault, OSError) as fault:
        say_and_leave(f"Not good: {fault}.")
    for line in _lines(found):
        typer.echo(line)


def _key(path: Path) -> str:
    """The first line that is no comment."""
    lines = (line.strip() for line in path.read_text("utf-8", errors="replace").splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")


def _lines(found: Receipt) -> list[str]:
    lines = [
        "Good: signed by this lounge, and unaltered.",
        f"adviser   {found.adviser.en} ({found.kind} opinion)",
        f"case      opened {found.opened}, sha-256 {found.consult}",
        f"answer    said {found.said}, sha-256 {found.answer}",
    ]
    return [*lines, "The adviser withdrew this answer later."] if found.withdrawn is True else lines
