"""All commands but `serve`. Each works beside a running server on the same data."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from lounge import demo, office
from lounge.clock import now_ms
from lounge.exporting import export as exported
from lounge.moderating.restricted import Restricted
from lounge.office import open_office
from lounge.rooms import open_catalogue
from lounge.search import MOST_HITS, Search
from web import admitting, importing, officers, purging, receipts, roles, sealing
from web import replay as replaying
from web.replay import Replay
from web.shell import run, settings

main = typer.Typer()
doctor = typer.Typer(no_args_is_help=True, help="Add doctors and say who is verified.")
main.add_typer(doctor, name="doctor")
doctor.command("suspend")(admitting.suspend)
doctor.command("role")(admitting.role)
doctor.command("hold")(admitting.hold)
main.command("invite")(admitting.invite)
main.add_typer(importing.register, name="register")
main.add_typer(sealing.audit, name="audit")
main.add_typer(sealing.key, name="key")
main.command("purge")(purging.purge)
main.add_typer(receipts.receipt, name="receipt")
main.add_typer(roles.role, name="role")
main.add_typer(officers.officer, name="officer")
main.add_typer(officers.unmask, name="unmask")


@main.command()
def upgrade() -> None:
    """Bring both databases to the newest revision."""

    run(office.upgrade_stores(settings()))
    typer.echo("Both databases are at the newest revision.")


@doctor.command("add")
def add_doctor(
    email: Annotated[str, typer.Option()],
    name: Annotated[str, typer.Option()],
    country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2, such as CA.")],
    specialty: Annotated[str, typer.Option(help="Such as cardiology.")],
    grade: Annotated[str, typer.Option(help="trainee, specialist or generalist.")] = "specialist",
    region: Annotated[str | None, typer.Option(help="A code within the country.")] = None,
    language: Annotated[str, typer.Option(help="en or fr.")] = "en",
    verified: Annotated[bool, typer.Option("--verified", help="May enter rooms.")] = False,
    role: Annotated[list[str] | None, typer.Option(help="moderator or registrar.")] = None,
) -> None:
    """Add a doctor; prints a one-time code to set the password with, good for 7 days."""

    async def added() -> str:
        async with open_office(settings()) as desk:
            return await desk.doctors.add(
                email=email,
                name=name,
                country=country,
                specialty=specialty,
                grade=grade,
                region=region,
                language=language,
                roles=role or (),
                verified=verified,
            )

    typer.echo(run(added()))


@doctor.command("code")
def new_code(email: str) -> None:
    """Print another one-time code to set a password with; earlier ones end."""

    async def made() -> str:
        async with open_office(settings()) as desk:
            return await desk.doctors.new_code(await desk.id_of(email))

    typer.echo(run(made()))


@doctor.command("verify")
def verify_doctor(
    email: str,
    revoke: Annotated[bool, typer.Option("--revoke", help="Close the rooms to her.")] = False,
) -> None:
    """Open the rooms to a doctor, or close them, at once."""

    async def changed() -> None:
        async with open_office(settings()) as desk:
            await desk.doctors.set_verified(await desk.id_of(email), not revoke)

    run(changed())
    typer.echo("Not verified any more." if revoke else "Verified.")


@main.command()
def token(email: str) -> None:
    """Print a bearer token for a doctor: only on demonstration data or with LOUNGE_BENCH=1."""

    async def made() -> str:
        async with open_office(settings()) as desk:
            await desk.require_made_up()
            _, secret = await desk.doctors.add_token(await desk.id_of(email), "command line")
            return secret

    typer.echo(run(made()))


@main.command()
def populate(
    doctors: Annotated[int, typer.Option(min=1, help="How many.")],
    tokens: Annotated[Path, typer.Option(help="File to write a bearer token a line to.")],
) -> None:
    """Add synthetic verified doctors: only on demonstration data or with LOUNGE_BENCH=1."""

    async def populated() -> list[str]:
        async with open_office(settings()) as desk:
            await desk.require_made_up()
            return await demo.populate(desk.identity, doctors, now=now_ms())

    _write_private(tokens, "".join(f"{secret}\n" for secret in run(populated())))
    typer.echo(f"{doctors} synthetic doctors; their tokens are in {tokens}.")


@main.command()
def search(
    query: str,
    room: Annotated[str | None, typer.Option(help="Look in one room only.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many hits at most.")] = 50,
) -> None:
    """Look through every room, as the operator: prints room, seq, time and text of each hit."""

    async def found() -> None:
        async with open_office(settings()) as desk:
            await Restricted(desk.lounge).read("search", by="operator")
            looking = Search(desk.lounge, open_catalogue(desk.settings.rooms_file))
            left, cursor = limit, None
            while left > 0:
                hits, cursor = await looking.find(None, query, room, min(left, MOST_HITS), cursor)
                for hit in hits:
                    snippet = " ".join(hit.snippet.split())
                    typer.echo(f"{hit.room}\t{hit.seq}\t{hit.at}\t{snippet}")
                left -= len(hits)
                if cursor is None:
                    return

    run(found())


@main.command()
def export(room: str) -> None:
    """Print a room's transcript as it stands now, a JSON object a line."""

    async def printed() -> None:
        async with open_office(settings()) as desk:
            await Restricted(desk.lounge).read("export", room, by="operator")
            async for line in exported(desk.lounge, room):
                sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()

    run(printed())


@main.command()
def replay(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON a line.")],
    rooms: Annotated[str, typer.Option(help="Room ids between commas.")],
    doctors: Annotated[int, typer.Option(min=1, help="How many speak.")] = 10,
    split: Annotated[int, typer.Option(min=40, max=8_000, help="Longest piece.")] = 800,
    url: Annotated[str, typer.Option(help="Where the lounge is.")] = "http://127.0.0.1:8000",
) -> None:
    """Post the `text` of each row as a conversation of synthetic doctors, over WebSockets.

    Only on demonstration data or with LOUNGE_BENCH=1. A whole text goes to one room, cut at
    sentence ends; the rooms take turns, and so do the doctors.
    """

    async def replayed() -> Replay:
        texts = replaying.texts_of(file)
        async with open_office(settings()) as desk:
            await desk.require_made_up()
            secrets = await demo.populate(desk.identity, doctors, now=now_ms())
        ids = [id.strip() for id in rooms.split(",") if id.strip()]
        return await replaying.replay(texts, ids, secrets, split=split, url=url)

    done = run(replayed())
    typer.echo(done.summary())
    if done.refused:
        raise typer.Exit(1)


def _write_private(path: Path, text: str) -> None:
    """For its owner only, also where the file was there before."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
