"""The command line: `lounge serve`, and every other command of `web/desk.py`.

The process that serves only starts others and watches them: what the other commands need is imported when
one of them is asked for.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lounge.settings import Settings, from_environment
from web import server


class _Commands(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *_desk().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or _desk().get_command(ctx, cmd_name)


main = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show the values of variables
)


@main.callback()
def lounge() -> None:
    """A lounge for verified doctors. Settings come from the environment: see docs/settings.md."""


@main.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any.")] = 8000,
    workers: Annotated[int, typer.Option(help="Processes; above 1: PostgreSQL, Redis.")] = 1,
    for_show: Annotated[
        bool, typer.Option("--demo", help="A made-up cast with one-click sign-in.")
    ] = False,
) -> None:
    """Open the lounge until it is told to stop."""
    raise typer.Exit(server.serve(_settings(), host, port, workers, for_show))


def _settings() -> Settings:
    try:
        return from_environment()
    except ValueError as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(1) from None


@cache
def _desk() -> TyperGroup:
    from web import desk

    group = typer.main.get_command(desk.main)
    assert isinstance(group, TyperGroup)
    return group


if __name__ == "__main__":
    main()
