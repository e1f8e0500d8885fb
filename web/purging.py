"""The command line of purging: what was erased leaves the databases' files too."""

from __future__ import annotations

import typer

from lounge.office import open_office
from lounge.purging import stores, write_anew
from web.shell import progress, run, settings


def purge() -> None:
    """Write both stores anew: no byte of what was erased is left in their files.

    Beside a running lounge its writers wait meanwhile: do it when few are there.
    """

    async def written() -> None:
        async with open_office(settings()) as desk:
            for name, store in stores(desk).items():
                with progress(name) as done:
                    await write_anew(store, done)
                typer.echo(f"{name}: written anew.")

    run(written())
