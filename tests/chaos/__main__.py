"""`python -m tests.chaos`: faults under load, and whether everything that was promised held; 1 if not.

python -m tests.chaos --backend sqlite [--short] [--seed N] [--report FILE] [--only WORDS]
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import sys
from pathlib import Path

from tests.chaos.run import LONG, SHORT, Load, Outcome, run


def main() -> int:
    """Prints a report a backend, as each is over."""
    given = _arguments()
    outcomes = []
    for backend in given.backend or ("sqlite", "postgres"):
        outcomes.append(asyncio.run(_until_told(backend, given)))
        print(outcomes[-1].page, flush=True)
        if outcomes[-1].code:
            print(outcomes[-1].said, file=sys.stderr, flush=True)
    if given.report:
        given.report.write_text("\n\n".join(each.page for each in outcomes) + "\n")
    return int(any(each.code for each in outcomes))


async def _until_told(backend: str, given: argparse.Namespace) -> Outcome:
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    load = SHORT if given.short else LONG
    load = Load(load.clients, load.rooms, given.rate or load.rate)
    assert backend in ("sqlite", "postgres")
    return await run(
        backend,  # type: ignore[arg-type]
        seed=given.seed,
        short=given.short,
        load=load,
        only=given.only,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--backend", action="append", choices=["sqlite", "postgres"])
    parser.add_argument("--short", action="store_true", help="the quick half, at a lower rate")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--rate", type=float, help="says a second")
    parser.add_argument("--only", default="", metavar="WORDS", help="names of faults, or parts")
    parser.add_argument("--report", type=Path, metavar="FILE", help="the same as Markdown")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
