"""Whether an answer, or its time, tells that an e-mail is known: asked by turns, compared by ranks."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from random import Random
from statistics import NormalDist, median
from time import perf_counter
from typing import Any

import httpx2

from lounge.doctors import Doctors
from lounge.keys import open_keys
from lounge.settings import from_environment
from storage.database import Database
from storage.migrations import upgrade
from tests.scale.house import Backend, Stores, open_server, stores
from tests.scale.report import Figure, Report, Table

BACKENDS: tuple[Backend, ...] = ("sqlite", "postgres")
ROUNDS = 100
"""Of each door, with an e-mail that is known and one that is not."""
CHANCE = 0.01
"""How likely this part is not met although nothing can be told, over all doors together."""
_DOCTORS = 4
_PAIRS_EACH = 2
"""So many rounds one doctor vouches in: she may give five vouchers a month."""
_PASSWORD = "a long enough password"
_KNOWN = tuple(f"ana-{n}@clinic.test" for n in range(_DOCTORS))
_UNKNOWN = tuple(f"nobody-{n}@clinic.test" for n in range(_DOCTORS))
_CHANGING = {"date"}

Door = Callable[[int, str], Awaitable[httpx2.Response]]


@dataclass(slots=True)
class Heard:
    """What one door answered to e-mails of one kind."""

    seconds: list[float] = field(default_factory=list)
    answers: set[str] = field(default_factory=set)


async def run(backend: Backend) -> Report:
    """Every door in turn, in an order that nobody could guess."""
    async with stores(backend) as where:
        await _peopled(where)
        tokens = await where.tokens(ROUNDS // _PAIRS_EACH)
        async with open_server(where) as server:
            site = f"http://127.0.0.1:{server.port}"
            async with httpx2.AsyncClient(base_url=site, headers={"origin": site}) as client:
                doors = await _doors(client, tokens)
                heard = {name: await _asked(door) for name, door in doors.items()}
    return Report("answers", backend, (_table(heard),), _NOTES)


async def _peopled(where: Stores) -> None:
    """Doctors with passwords, as they would have set them."""
    settings = replace(from_environment({**os.environ, **where.environ}), bench=True)
    identity, lounge = Database(settings.identity_url), Database(settings.database_url)
    await upgrade(identity, "identity")
    await upgrade(lounge, "lounge")
    doctors = Doctors(identity, lounge, await open_keys(settings, identity, lounge), settings)
    try:
        for email in _KNOWN:
            code = await doctors.add(
                email=email, name="Ana", country="CA", specialty="cardiology", verified=True
            )
            await doctors.set_password(email, code, _PASSWORD, address="")
    finally:
        doctors.close()
        await identity.close()
        await lounge.close()


async def _doors(client: httpx2.AsyncClient, tokens: Sequence[str]) -> dict[str, Door]:
    """Wherever somebody may name an e-mail that need not be hers."""

    def post(path: str, **body: Any) -> Door:
        return lambda _, email: _posted(client, path, {**body, "email": email})

    cookies = {email: await _applied(client, email) for email in (*_KNOWN, *_UNKNOWN)}
    return {
        "sign in": post("/api/session", password="another password"),
        "a letter for a new password": post("/api/recovery"),
        "a new password with a code": post("/api/password", code="x" * 22, password=_PASSWORD),
        "apply": post("/api/applications", **_FORM),
        "confirm": lambda _, email: _posted(
            client,
            "/api/applications/confirm",
            {"email": email, "code": "2345-6789"},
            cookies[email],
        ),
        "vouch": lambda n, email: _posted(
            client,
            "/api/vouchers",
            {"email": email},
            {"authorization": f"Bearer {tokens[n // _PAIRS_EACH]}"},
        ),
    }


async def _posted(
    client: httpx2.AsyncClient,
    path: str,
    body: dict[str, Any],
    headers: dict[str, str] | None = None,
) -> httpx2.Response:
    client.cookies.clear()  # each comes with what it needs and nothing else
    return await client.post(path, json=body, headers=headers)


async def _applied(client: httpx2.AsyncClient, email: str) -> dict[str, str]:
    """The cookie of a browser that has applied with this e-mail."""
    answer = await _posted(client, "/api/applications", {**_FORM, "email": email})
    assert answer.status_code == 202, answer.text
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


async def _asked(door: Door) -> tuple[Heard, Heard]:
    """What was heard of known e-mails, and of others; the first round is not counted."""
    random, known, unknown = Random(1), Heard(), Heard()
    for n in range(ROUNDS):
        pair = [(known, _KNOWN[n % _DOCTORS]), (unknown, _UNKNOWN[n % _DOCTORS])]
        random.shuffle(pair)
        for heard, email in pair:
            began = perf_counter()
            answer = await door(n, email)
            heard.seconds.append(perf_counter() - began)
            heard.answers.add(_as_seen(answer))
    for heard in (known, unknown):
        del heard.seconds[0]
    return known, unknown


def _as_seen(answer: httpx2.Response) -> str:
    """All of it but the time of day and what a cookie holds."""
    heads = [
        (name, value.partition("=")[0] + value.partition(";")[2] if name == "set-cookie" else value)
        for name, value in answer.headers.multi_items()
        if name not in _CHANGING
    ]
    return f"{answer.status_code} {heads} {answer.text}"


def off_by(these: Sequence[float], those: Sequence[float]) -> float:
    """How many standard deviations the rank sum of `these` lies from what chance makes of it.

    The test of Mann and Whitney (1947), by its normal approximation: for some twenty of each and more.
    """
    n, m = len(these), len(those)
    ordered = sorted([(value, 1) for value in these] + [(value, 0) for value in those])
    ranks = sum(rank for rank, (_, is_mine) in enumerate(ordered, 1) if is_mine)
    return (ranks - n * (n + m + 1) / 2) / sqrt(n * m * (n + m + 1) / 12)


def _table(heard: dict[str, tuple[Heard, Heard]]) -> Table:
    most = NormalDist().inv_cdf(1 - CHANCE / len(heard) / 2)
    table = Table(("", "known, median", "unknown, median", "rank sum off by", "p", "told apart"))
    for name, (known, unknown) in heard.items():
        off = abs(off_by(known.seconds, unknown.seconds))
        table.add(
            name,
            Figure(median(known.seconds) * 1000, "ms"),
            Figure(median(unknown.seconds) * 1000, "ms"),
            Figure(off, "σ", round(most, 3)),
            f"{2 * NormalDist().cdf(-off):.3f}",
            Figure(len(known.answers ^ unknown.answers), "answers", 0),
        )
    return table


_FORM = {
    **{"name": "Ana", "country": "US", "specialty": "cardiology", "grade": "specialist"},
    **{"language": "en", "password": _PASSWORD, "body": "us.npi", "licence": "1234567893"},
}
_NOTES = (
    f"{ROUNDS} rounds a door, each with an e-mail that is known and one that is not, in random order, one "
    "after the other. The limits on guessing are lifted; they count known and unknown e-mails alike.",
    f"The bound on σ is p > {CHANCE} over all doors together (Bonferroni).",
)
