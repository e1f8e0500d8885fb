"""The fault matrix: every row of it, and its variants, each brought about from outside."""

from __future__ import annotations

from dataclasses import dataclass

from tests.chaos import on_clients, on_redis, on_servers, on_sql
from tests.chaos.cluster import FAST, IMMEDIATE
from tests.chaos.evidence import Act
from tests.chaos.house import Backend
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
    act: Act
    backends: tuple[Backend, ...] = BOTH
    short: tuple[Backend, ...] = ()
    times: int = 1


NEED_A_COMPILER = [
    Fault("disk full", on_sql.bad_disk("full"), SQLITE, SQLITE),
    Fault("fsync error", on_sql.bad_disk("broken"), SQLITE, SQLITE),
]

FAULTS = [
    Fault("kill -9 a worker", on_servers.worker_killed, short=SQLITE, times=3),
    Fault("kill -9 a server", on_servers.server_killed, times=2),
    *(
        Fault(f"kill -9 {point}", on_servers.killed_at(point), short=SHORTLY.get(point, ()))
        for point in POINTS
    ),
    Fault("kill -9 Redis, back at once", on_redis.redis_killed(0), short=POSTGRES),
    Fault("kill -9 Redis, back after 5 s", on_redis.redis_killed(5)),
    Fault("kill -9 Redis, back after 60 s", on_redis.redis_killed(60)),
    Fault("kill -9 all at once", on_servers.all_killed, short=SQLITE),
    Fault("SIGSTOP a server 1 s", on_servers.server_stopped(1), short=POSTGRES),
    Fault("SIGSTOP a server 10 s", on_servers.server_stopped(10)),
    Fault("SIGSTOP a server 40 s", on_servers.server_stopped(40)),
    Fault("SIGSTOP Redis 30 s", on_redis.redis_stopped(30)),
    Fault("FLUSHALL", on_redis.flushed, short=POSTGRES),
    Fault("CLIENT KILL TYPE pubsub", on_redis.subscribers_killed, short=POSTGRES),
    Fault("pubsub output buffer 64 kB", on_redis.buffer_overrun),
    Fault("half-open Redis", on_redis.half_open, short=POSTGRES),
    Fault("pub/sub loses 1 %", on_redis.lossy(Faults(lost=0.01), 5)),
    Fault("pub/sub loses 50 %", on_redis.lossy(Faults(lost=0.5), 5)),
    Fault("pub/sub loses 100 %", on_redis.lossy(Faults(lost=1.0), 5), short=POSTGRES),
    Fault("pub/sub doubles", on_redis.lossy(Faults(doubled=0.5), 3), short=POSTGRES),
    Fault("pub/sub swaps", on_redis.lossy(Faults(swapped=0.5), 3), short=POSTGRES),
    Fault("pub/sub 2 s late", on_redis.lossy(Faults(late_seconds=2.0), 6)),
    Fault("clients stall", on_clients.clients_stalled),
    Fault("clients at 1 KB/s", on_clients.clients_slow),
    Fault("clients with 300 ms RTT", on_clients.clients_far),
    Fault("clients cut in mid-frame", on_clients.clients_cut, short=SQLITE),
    Fault("storm", on_clients.everybody_dropped, short=BOTH, times=5),
    Fault("duplicate sends", on_clients.said_again, short=SQLITE),
    Fault("revocation", on_clients.revoked, short=SQLITE),
    Fault("SIGTERM under load", on_servers.terminated),
    Fault("rolling restart", on_servers.renewed, times=2),
    Fault("SQLite locked 2 s", on_sql.locked(2), SQLITE, SQLITE),
    Fault("SQLite locked 10 s", on_sql.locked(10), SQLITE),
    *NEED_A_COMPILER,
    Fault("PostgreSQL restart, fast", on_sql.postgres_restarted(FAST), POSTGRES, POSTGRES),
    Fault("PostgreSQL restart, immediate", on_sql.postgres_restarted(IMMEDIATE), POSTGRES),
    Fault("kill -9 a backend in COMMIT", on_sql.backend_killed_in_commit, POSTGRES, POSTGRES),
    Fault("pg_terminate_backend", on_sql.backends_terminated, POSTGRES),
    Fault("SIGSTOP PostgreSQL 15 s", on_sql.postgres_stopped(15), POSTGRES),
    Fault("an older copy is restored", on_sql.restored, short=SQLITE),
]
