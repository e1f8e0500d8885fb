"""`lounge role`: the command line of roles on call."""

from __future__ import annotations

from typing import Annotated

import typer

from lounge.office import Office, open_office
from lounge.oncall.keeping import OPERATOR, Keeping, NewRole
from lounge.oncall.roles import Role, Roles
from lounge.oncall.rosters import Rosters
from lounge.rooms import open_catalogue
from web.shell import run, settings

role = typer.Typer(no_args_is_help=True, help="Make roles that are paged, and list them.")


@role.command("add")
def add_role(
    service: Annotated[str, typer.Option(help="Such as “Neurology, Thunder Bay Regional”.")],
    name: Annotated[str, typer.Option(help="Such as “Neurologist on call”.")],
    specialty: Annotated[str, typer.Option(help="Such as neurology.")],
    zone: Annotated[str, typer.Option(help="Whose wall clock: such as America/Toronto.")],
    number: Annotated[str, typer.Option(help="To call when nobody answers: +1 807 …")],
    keeper: Annotated[str, typer.Option(help="Whose rota it is: her e-mail address.")],
    rule: Annotated[str | None, typer.Option(help="Who may page it.")] = None,
) -> None:
    """Make a role that is paged; prints its id. Its keeper asks members and writes the rota."""

    async def added() -> str:
        async with open_office(settings()) as desk:
            known = _roles(desk)
            keeping = Keeping(
                desk.identity, desk.keys, known, Rosters(desk.identity, desk.keys, known)
            )
            new = NewRole(service, name, specialty, zone, number, keeper, rule)
            return await keeping.add(new, by=OPERATOR)

    typer.echo(run(added()))


@role.command("list")
def list_roles() -> None:
    """Print each open role: its id, service, name, zone and number."""

    async def found() -> list[Role]:
        async with open_office(settings()) as desk:
            return await _roles(desk).all()

    for each in run(found()):
        typer.echo(f"{each.id}\t{each.service}\t{each.name}\t{each.zone}\t{each.number}")


def _roles(desk: Office) -> Roles:
    return Roles(desk.identity, open_catalogue(desk.settings.rooms_file))
