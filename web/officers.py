"""The command line of the two officers: their keys, their enrolment, and unmasking."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from nacl.public import PrivateKey

from lounge.keys import KeyFault
from lounge.office import Office, open_office
from lounge.officer_keys import line, make_key, of_line, public_key, read_key
from lounge.officers import Enrolment, Officer
from lounge.personas import Crowd, Personas
from lounge.rooms import open_catalogue
from lounge.sealing import WrongKey, opened
from lounge.unmasking import Opener, Unmasking
from web.shell import progress, run, say_and_leave, settings

officer = typer.Typer(no_args_is_help=True, help="The two who can unmask, together only.")
unmask = typer.Typer(
    no_args_is_help=True, help="Learn who wrote one entry: two officers, a reason."
)

First = Annotated[
    tuple[str, str], typer.Option(metavar="EMAIL KEY", help="Opens last: e-mail, public key.")
]
Second = Annotated[
    tuple[str, str], typer.Option(metavar="EMAIL KEY", help="Opens first: e-mail, public key.")
]


# -- officers ------------------------------------------------------------------------------------


@officer.command("keygen")
def keygen(file: Annotated[Path, typer.Argument(help="Where the private key goes.")]) -> None:
    """Make an officer's key on her own machine; prints the public key, which is no secret."""
    passphrase = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)

    async def made() -> str:
        return make_key(file, passphrase)

    typer.echo(run(made()))


@officer.command("enrol")
def enrol(first: First, second: Second) -> None:
    """Make two doctors the officers, and seal to them whoever has spoken so far."""

    async def enrolled() -> int:
        async with _enrolment() as (desk, enrolment):
            one, other = await _two(desk, first, second)
            await enrolment.enrol(one, other)
            with progress("sealing") as told:
                return await enrolment.seal_rest(told)

    typer.echo(f"Officers enrolled; {run(enrolled())} personas sealed to them.")


@officer.command("seal")
def seal() -> None:
    """Seal every persona that has no box yet: goes on where `enrol` was cut off."""

    async def sealed() -> int:
        async with _enrolment() as (_, enrolment):
            with progress("sealing") as told:
                return await enrolment.seal_rest(told)

    typer.echo(f"{run(sealed())} personas sealed.")


@officer.command("change")
def change(
    first: First,
    second: Second,
    old: Annotated[
        tuple[Path, Path], typer.Option(metavar="FILE FILE", help="The old private keys, in place.")
    ],
) -> None:
    """Both officers together hand over to two others, or to one other; may be repeated."""
    keys = [_private(file) for file in old]

    async def changed() -> int:
        async with _enrolment() as (desk, enrolment):
            one, other = await _two(desk, first, second)
            with progress("sealing anew") as told:
                count = await enrolment.change(keys, one, other, told)
                await enrolment.seal_rest()
                return count

    typer.echo(f"{run(changed())} personas sealed to the new officers.")


@officer.command("open")
def open_box(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Your private key.")],
    box: Annotated[str, typer.Option(help="The line that was handed to you.")],
) -> None:
    """Open a box on your own machine, away from the lounge; prints the line to hand in."""
    private = _private(file)

    async def found() -> str:
        try:
            return line(opened(of_line(box), private))
        except WrongKey:
            say_and_leave("This key does not open this box.")

    typer.echo(run(found()))


# -- unmasking -----------------------------------------------------------------------------------


@unmask.command("request")
def request(
    room: Annotated[str, typer.Option(help="Room of the entry.")],
    seq: Annotated[int, typer.Option(min=1, help="Its seq.")],
    reason: Annotated[str, typer.Option(help="Why, in words; the doctor will read it.")],
) -> None:
    """Ask for the author of one entry. Good for 24 hours; prints the second officer's box."""

    async def asked() -> None:
        async with _unmasking() as unmasking:
            case = await unmasking.request(room, seq, reason)
        typer.echo(f"request {case.id}")
        typer.echo(f"until {datetime.fromtimestamp(case.expires / 1000, UTC):%Y-%m-%d %H:%M} UTC")
        typer.echo(f"box {line(case.box)}")

    run(asked())


@unmask.command("approve")
def approve(
    id: str,
    key_file: Annotated[
        Path | None, typer.Option("--key", exists=True, help="The second officer's file.")
    ] = None,
    handed: Annotated[
        str | None, typer.Option("--line", help="Or what she found in the box.")
    ] = None,
) -> None:
    """The second officer agrees; prints the first officer's box."""
    opener = _opener(key_file, handed)

    async def approved() -> str:
        async with _unmasking() as unmasking:
            return line((await unmasking.approve(id, opener)).box)

    typer.echo(f"box {run(approved())}")


@unmask.command("open")
def open_author(
    id: str,
    box: Annotated[str, typer.Option(help="The box that the second officer handed over.")] = "",
    key_file: Annotated[
        Path | None, typer.Option("--key", exists=True, help="The first officer's file.")
    ] = None,
    handed: Annotated[
        str | None, typer.Option("--line", help="Or what he found in the box.")
    ] = None,
) -> None:
    """The first officer opens the last box: prints whose entry it was. The doctor is told."""
    opener = _opener(key_file, handed)

    async def found() -> None:
        async with _unmasking() as unmasking:
            who = await unmasking.open(id, of_line(box), opener)
        typer.echo(f"{who.room} {who.seq}: {who.name or 'has left'}, {who.email or who.doctor_id}")

    run(found())


def _opener(key_file: Path | None, handed: str | None) -> Opener:
    if (key_file is None) == (handed is None):
        say_and_leave("Give either --key or --line.")
    if handed is not None:
        return lambda _: of_line(handed)
    assert key_file is not None
    private = _private(key_file)
    return lambda box: opened(box, private)


# -- what they stand on --------------------------------------------------------------------------


@asynccontextmanager
async def _enrolment() -> AsyncIterator[tuple[Office, Enrolment]]:
    async with open_office(settings()) as desk:
        yield desk, Enrolment(desk.identity, desk.lounge, desk.keys, _personas(desk))


@asynccontextmanager
async def _unmasking() -> AsyncIterator[Unmasking]:
    async with open_office(settings()) as desk:
        yield Unmasking(desk.identity, desk.lounge, desk.keys, _personas(desk))


def _personas(desk: Office) -> Personas:
    catalogue = open_catalogue(desk.settings.rooms_file, bench=desk.settings.bench)
    crowd = Crowd.of((), catalogue, desk.settings.badge_crowd)
    return Personas(desk.keys.persona.subkey("persona"), catalogue, crowd)


async def _two(
    desk: Office, first: tuple[str, str], second: tuple[str, str]
) -> tuple[Officer, Officer]:
    one, other = [
        Officer(await desk.id_of(email), public_key(text)) for email, text in (first, second)
    ]
    return one, other


def _private(file: Path) -> PrivateKey:
    passphrase = typer.prompt(f"Passphrase of {file.name}", hide_input=True, err=True)
    try:
        return read_key(file, passphrase)
    except KeyFault as fault:
        say_and_leave(str(fault))
