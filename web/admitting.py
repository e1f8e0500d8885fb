"""`lounge doctor suspend`, `role` and `hold`, `lounge invite`: the operator lets in and shuts out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from lounge.credentials.invitations import Invited
from lounge.credentials.joining import Joining, open_joining
from lounge.office import Office, open_office
from lounge.sanctions import Sanctions
from lounge.words import say
from web.shell import run, settings


def suspend(
    email: str,
    lift: Annotated[bool, typer.Option("--lift", help="Ask all sources again instead.")] = False,
) -> None:
    """Close the rooms to a doctor at once, whatever sources say, until it is lifted."""

    async def changed() -> str:
        async with _at_desk() as (desk, joining):
            doctor_id = await desk.id_of(email)
            if not lift:
                await joining.applications.suspend(doctor_id)
                return "Suspended."
            return f"Now {(await joining.applications.reinstate(doctor_id)).state}."

    typer.echo(run(changed()))


def role(
    email: str,
    roles: Annotated[
        list[str] | None, typer.Argument(help="moderator, of a room moderator:ROOM, or registrar.")
    ] = None,
) -> None:
    """Say what a doctor is besides a doctor; without roles, nothing any more. Ends what she has open."""

    async def changed() -> None:
        async with open_office(settings()) as desk:
            await desk.doctors.set_roles(await desk.id_of(email), roles or ())

    run(changed())
    typer.echo("Her roles are changed.")


def hold(
    email: str,
    lift: Annotated[bool, typer.Option("--lift", help="End the hold.")] = False,
) -> None:
    """Keep everything of a doctor, also after she has left, until it is lifted."""

    async def held() -> None:
        async with open_office(settings()) as desk:
            await desk.doctors.hold(await desk.id_of(email), not lift)

    run(held())
    typer.echo("The hold is lifted." if lift else "On hold.")


def invite(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, UTF-8.")],
    remove_missing: Annotated[
        bool,
        typer.Option("--remove-missing", help="Suspend whom an earlier file had and this has not."),
    ] = False,
) -> None:
    """Invite every doctor of a CSV file by e-mail; a wrong line is told and does not stop the rest."""

    async def invited() -> Invited:
        async with _at_desk() as (_, joining):
            with file.open(encoding="utf-8-sig", newline="") as lines:
                return await joining.invitations.invite(lines, remove_missing=remove_missing)

    done = run(invited())
    for line, refusal in done.wrong:
        typer.echo(f"line {line}: {say(refusal.key, 'en', **refusal.values)}", err=True)
    typer.echo(f"{done.added} invited, {done.known} known already, {done.struck} suspended.")
    if done.wrong:
        raise typer.Exit(1)


@asynccontextmanager
async def _at_desk() -> AsyncIterator[tuple[Office, Joining]]:
    async with open_office(settings()) as desk:
        sanctions = Sanctions(desk.lounge, desk.keys)
        yield (
            desk,
            open_joining(
                desk.settings, desk.identity, desk.lounge, desk.keys, desk.doctors, sanctions
            ),
        )
