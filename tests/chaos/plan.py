"""Which faults come, and when: every row of the matrix at least once, in an order of the seed's."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.chaos import faults
from tests.chaos.cluster import FAST, IMMEDIATE
from tests.chaos.house import Backend, House
from tests.chaos.marked import POINTS
from tests.redis_proxy import Faults

BOTH: tuple[Backend, ...] = ("sqlite", "postgres")
SQLITE: tuple[Backend, ...] = ("sqlite",)
POSTGRES: tuple[Backend, ...] = ("postgres",)
SHORTLY = {"after COMMIT": POSTGRES, "before COMMIT": SQLITE, "before ack": SQLITE}


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the matrix, or one variant of it. `short`: on which backends a short run has it too."""

    name: str
    act: faults.Act
    backends: tuple[Backend, ...] = BOTH
    short: tuple[Backend, ...] = ()
    times: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """A fault, and the seconds of peace after it."""

    fault: Fault
    pause: float


def planned(house: House, *, short: bool, only: str = "") -> list[Step]:
    """The same for the same seed. `only`: those whose names hold it."""
    chance = random.Random(f"{house.seed}/{house.backend}")
    chosen = [
        each
        for fault in FAULTS
        if house.backend in (fault.short if short else fault.backends) and only in fault.name
        for each in [fault] * (1 if short else fault.times)
        if house.disk or fault not in NEED_A_COMPILER
    ]
    chance.shuffle(chosen)
    return [Step(each, chance.uniform(0.5, 1.0 if short else 4.0)) for each in chosen]


NEED_A_COMPILER = [
    Fault("disk full", faults.bad_disk("full"), SQLITE, SQLITE),
    Fault("fsync error", faults.bad_disk("broken"), SQLITE, SQLITE),
]

FAULTS = [
    Fault("kill -9 a worker", faults.worker_killed, short=SQLITE, times=3),
    Fault("kill -9 a server", faults.server_killed, times=2),
    *(
        Fault(f"kill -9 {point}", faults.killed_at(point), short=SHORTLY.get(point, ()))
        for point in POINTS
    ),
    Fault("kill -9 Redis, back at once", faults.redis_killed(0), short=POSTGRES),
    Fault("kill -9 Redis, back after 5 s", faults.redis_killed(5)),
    Fault("kill -9 Redis, back after 60 s", faults.redis_killed(60)),
    Fault("kill -9 all at once", faults.all_killed, short=SQLITE),
    Fault("SIGSTOP a server 1 s", faults.server_stopped(1), short=POSTGRES),
    Fault("SIGSTOP a server 10 s", faults.server_stopped(10)),
    Fault("SIGSTOP a server 40 s", faults.server_stopped(40)),
    Fault("SIGSTOP Redis 30 s", faults.redis_stopped(30)),
    Fault("FLUSHALL", faults.flushed, short=POSTGRES),
    Fault("CLIENT KILL TYPE pubsub", faults.subscribers_killed, short=POSTGRES),
    Fault("pubsub output buffer 64 kB", faults.buffer_overrun),
    Fault("half-open Redis", faults.half_open, short=POSTGRES),
    Fault("pub/sub loses 1 %", faults.lossy(Faults(lost=0.01), 5)),
    Fault("pub/sub loses 50 %", faults.lossy(Faults(lost=0.5), 5)),
    Fault("pub/sub loses 100 %", faults.lossy(Faults(lost=1.0), 5), short=POSTGRES),
    Fault("pub/sub doubles", faults.lossy(Faults(doubled=0.5), 3), short=POSTGRES),
    Fault("pub/sub swaps", faults.lossy(Faults(swapped=0.5), 3), short=POSTGRES),
    Fault("pub/sub 2 s late", faults.lossy(Faults(late_seconds=2.0), 6)),
    Fault("clients stall", faults.clients_stalled),
    Fault("clients at 1 KB/s", faults.clients_slow),
    Fault("clients with 300 ms RTT", faults.clients_far),
    Fault("clients cut in mid-frame", faults.clients_cut, short=SQLITE),
    Fault("storm", faults.everybody_dropped, short=BOTH, times=5),
    Fault("duplicate sends", faults.said_again, short=SQLITE),
    Fault("revocation", faults.revoked, short=SQLITE),
    Fault("SIGTERM under load", faults.terminated),
    Fault("rolling restart", faults.renewed, short=POSTGRES, times=2),
    Fault("SQLite locked 2 s", faults.locked(2), SQLITE, SQLITE),
    Fault("SQLite locked 10 s", faults.locked(10), SQLITE),
    *NEED_A_COMPILER,
    Fault("PostgreSQL restart, fast", faults.postgres_restarted(FAST), POSTGRES, POSTGRES),
    Fault("PostgreSQL restart, immediate", faults.postgres_restarted(IMMEDIATE), POSTGRES),
    Fault("kill -9 a backend in COMMIT", faults.backend_killed_in_commit, POSTGRES, POSTGRES),
    Fault("pg_terminate_backend", faults.backends_terminated, POSTGRES),
    Fault("SIGSTOP PostgreSQL 15 s", faults.postgres_stopped(15), POSTGRES),
    Fault("an older copy is restored", faults.restored, short=SQLITE),
]
