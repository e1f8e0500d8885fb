"""What a client did and saw, one line an event, written before anything follows from it.

`tests/chaos/checker.py` reads these files and shares no code with this one: the names below are all
that the two have in common. `client-NAME.jsonl` is the journal of one client, `facts.jsonl` that of
whoever runs the chaos. Every line has `event` and `t`, seconds since 1970.

Of a client, `conn` being its own number for a connection:

    begin   client seed
    send    cid room op hash target conn     op: say, edit, redact; hash unless redact; target unless say
    ack     cid room seq id dup conn         id only of a say
    nack    cid code final conn              final: this client will not send the cid again
    attach  room from head since conn        since: the cursor it asked with, left out when it had none
    recv    room seq id kind hash target conn
    live    room head conn
    reset   room reason conn
    close   code conn
    quiet                                    nothing more will be sent, and nothing waits for an answer
    done

Facts: `revoked` client · `redacted` room seq · `fault` name phase (start, end) · `planned` n ·
`fired` n (both are added up) · `survey` process fds tasks rss phase (before, after) · `canary` text ·
`begin` seed · `restored` copied (the database is now the copy that was made then).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

FACTS = "facts.jsonl"


class Journal:
    """An append-only file. A line stands in it, whole, before `note` returns; it is not synced."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, event: str, **fields: object) -> None:
        """Add one event, now unless `t` says otherwise. What is None is left out."""
        told = {key: value for key, value in fields.items() if value is not None}
        line = json.dumps({"event": event, "t": time.time(), **told}, ensure_ascii=False) + "\n"
        data = line.encode()
        assert os.write(self._file, data) == len(data)

    def close(self) -> None:
        os.close(self._file)


def of_client(folder: Path, name: str) -> Journal:
    """The journal of the client of that name."""
    return Journal(folder / f"client-{name}.jsonl")


def hash_of(text: str) -> str:
    """What stands in a journal for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
