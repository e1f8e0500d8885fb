"""The command line of audits and of the house's own keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lounge import audit as auditing
from lounge import rotation
from lounge.keys import Keyring, add_key
from lounge.office import Office, open_office
from web.shell import progress, run, say_and_leave, settings

audit = typer.Typer(
    no_args_is_help=True, help="What was done with power, and that it is all there."
)
key = typer.Typer(no_args_is_help=True, help="The two key files of the house.")


# -- audits --------------------------------------------------------------------------------------


@audit.command("verify")
def verify(
    anchor: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="File of heads noted earlier."),
    ] = None,
) -> None:
    """Check both audits from their first row on; names the first row that is not as it was written."""

    async def verified() -> list[auditing.Verdict]:
        async with open_office(settings()) as desk:
            known = desk.settings.data / auditing.HEADS
            files = [*(anchor or []), *([known] if known.exists() else [])]
            if not files:
                typer.echo(f"No heads in {known}: an end cut off would not show.", err=True)
            anchors = [link for file in files for link in auditing.read_anchors(file)]
            return await auditing.verify(desk.identity, desk.lounge, anchors)

    verdicts = run(verified())
    for verdict in verdicts:
        typer.echo(_told(verdict))
    if any(verdict.breach for verdict in verdicts):
        raise typer.Exit(1)


@audit.command("head")
def head() -> None:
    """Print where both audits stand, a line each: keep it where nobody here can change it."""

    async def stood() -> list[auditing.Link]:
        async with open_office(settings()) as desk:
            return await auditing.heads(desk.identity, desk.lounge)

    for link in run(stood()):
        typer.echo(auditing.as_line(link))


def _told(verdict: auditing.Verdict) -> str:
    store, breach = verdict.head.store, verdict.breach
    if breach is None:
        return f"{store}: {verdict.head.seq} rows, all as they were written."
    return f"{store}: row {breach.seq} is {breach.what}."


# -- keys ----------------------------------------------------------------------------------------


@key.command("rotate")
def rotate(
    store: Annotated[str, typer.Option(help="identity or persona.")] = "identity",
    again: Annotated[
        bool, typer.Option("--again", help="No new key: go on with what is not wrapped yet.")
    ] = False,
) -> None:
    """Put a new key on top of a key file, and wrap everything sealed anew under it."""

    async def rotated() -> rotation.Counted:
        async with open_office(settings()) as desk:
            path, ring = _file(desk, store)
            if not again:
                add_key(path)
            ring.refresh()
            with progress("wrapping anew") as told:
                return await rotation.rewrap(desk.identity, desk.lounge, desk.keys.identity, told)

    counted = run(rotated())
    typer.echo(f"{counted.older} wrapped anew, {counted.newest} were.{_unknown(counted)}")


@key.command("check")
def check() -> None:
    """Say how much the newest identity key seals; older lines but the last may go when all is."""

    async def checked() -> rotation.Counted:
        async with open_office(settings()) as desk:
            return await rotation.check(desk.identity, desk.lounge, desk.keys.identity)

    counted = run(checked())
    typer.echo(f"newest {counted.newest}, older {counted.older}.{_unknown(counted)}")
    if counted.older or counted.unknown:
        raise typer.Exit(1)


def _unknown(counted: rotation.Counted) -> str:
    return f" {counted.unknown} that no key of the file opens." if counted.unknown else ""


def _file(desk: Office, store: str) -> tuple[Path, Keyring]:
    if store == "identity":
        return desk.settings.secret_file, desk.keys.identity
    if store == "persona":
        return desk.settings.persona_secret_file, desk.keys.persona
    say_and_leave(f"--store is identity or persona, not {store}.")
