"""The rules that hold just now, and how moderators for all rooms change them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.guarding import Guarding, Waiver
from lounge.moderating.rules import LARGEST_TOGETHER, MOST_RULES, Looked, Memory, Rule, Text
from lounge.moderating.scopes import EVERYWHERE, may
from lounge.rooms import Catalogue
from storage import audit, rules
from storage.database import Database
from storage.rules import RuleRow

log = structlog.get_logger()

_GRAVEST = ("block", "hold", "alert")


@dataclass(frozen=True, slots=True)
class Kept:
    """A rule as it is kept. `version` rises with each change; `at`, ms: the last one."""

    id: str
    version: int
    at: int
    rule: Rule


class Ruling:
    """Rules as last read: `read` is called at every poll, `refresh` after every change here.

    Staff is never asked. May raise StorageError, and Refusal where that is said.
    """

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        guarding: Guarding,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._guarding = guarding
        self._clock = clock
        self._memory = Memory()
        self._looked: tuple[tuple[Kept, Looked], ...] = ()
        self._versions: dict[str, int] = {}
        self._reads = self._newest = 0

    # -- what holds ------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Read again what holds."""
        async with self._database.reading() as connection:
            await self.read(connection)

    async def read(self, connection: AsyncConnection) -> None:
        """As `refresh`, in a poll's own snapshot."""
        self._reads += 1
        began = self._reads
        versions = await rules.versions(connection)
        if versions == self._versions:
            return
        found = await rules.everything(connection)
        if began < self._newest:  # what began earlier may know less, however late it comes
            return
        self._newest = began
        self._looked = tuple(each for row in found if (each := _ready(row)) is not None)
        self._versions = {row.id: row.version for row in found}

    @property
    def kept(self) -> tuple[Kept, ...]:
        """All that hold, the newest change first."""
        return tuple(kept for kept, _ in self._looked)

    def met(
        self, doctor: Doctor, room_id: str, text: str, once: bytes | None = None
    ) -> tuple[Kept, ...]:
        """The rules that this text of hers meets there, the gravest first. No I/O.

        `once` stands for the command, however often it is sent; None: nothing is counted.
        """
        if not self._looked or is_staff(doctor):
            return ()
        read, at = Text(text), self._clock()
        found = [
            kept
            for kept, looked in self._looked
            if looked.covers(room_id, doctor.grade)
            and (
                looked.meets(read)
                or (
                    once is not None
                    and looked.counts(self._memory, doctor.id, room_id, read, once, at)
                )
            )
        ]
        return gravest_first(found)

    # -- how it is changed -----------------------------------------------------------------------

    async def add(self, moderator: Doctor, rule: Rule) -> Kept:
        """A rule more. Raises Refusal."""
        looked = self._may_write(moderator, rule)
        new = RuleRow(secrets.token_urlsafe(12), _encoded(rule), 1, self._clock())
        async with self._database.writing() as connection:
            if await rules.count(connection) >= MOST_RULES:
                raise Refusal(Code.INVALID, "refusal.most_rules", most=MOST_RULES)
            await _fits(connection, new.id, looked)
            await rules.add(connection, new)
            await _noted(connection, "rule.made", new.id, rule)
        await self.refresh()
        return Kept(new.id, new.version, new.at, rule)

    async def change(self, moderator: Doctor, id: str, version: int, rule: Rule) -> Kept:
        """In the place of that `version` of it. Raises Refusal, when another stands by now."""
        looked = self._may_write(moderator, rule)
        new = RuleRow(id, _encoded(rule), version + 1, self._clock())
        async with self._database.writing() as connection:
            await _fits(connection, id, looked)
            if not await rules.change(connection, new):
                known = id in await rules.versions(connection)
                raise _changed() if known else _unknown()
            await _noted(connection, "rule.changed", id, rule)
        await self.refresh()
        return Kept(id, new.version, new.at, rule)

    async def drop(self, moderator: Doctor, id: str) -> None:
        """It holds no longer. Raises Refusal."""
        must_rule(moderator)
        async with self._database.writing() as connection:
            if not await rules.drop(connection, id):
                raise _unknown()
            await audit.append_lounge(connection, "rule.dropped", by="moderator", about=id)
        await self.refresh()

    def looked(self, moderator: Doctor, rule: Rule) -> Looked:
        """A rule that is not kept, ready to look. Raises Refusal."""
        must_rule(moderator)
        for room in rule.rooms or ():
            found = self._catalogue.find(room)
            if found is None or found.kind == "me":
                raise Refusal(Code.INVALID, "refusal.no_such_room", field="rooms")
        return Looked(rule)

    def _may_write(self, moderator: Doctor, rule: Rule) -> Looked:
        looked = self.looked(moderator, rule)
        for field, words in (("name", rule.name), ("words", rule.words)):
            if not words.strip():
                raise Refusal(Code.INVALID, "refusal.empty", field=field)
            self._guarding.admit(words, Waiver(), field=field)
        return looked


def gravest_first(found: Iterable[Kept]) -> tuple[Kept, ...]:
    """What blocks before what holds, and that before what alerts."""
    return tuple(sorted(found, key=lambda each: _GRAVEST.index(each.rule.action)))


def is_staff(doctor: Doctor) -> bool:
    """Moderators, registrars, officers: automation never acts on them."""
    return bool(doctor.roles - {"doctor"})


def must_rule(doctor: Doctor) -> None:
    """Rules are the moderators' for all rooms. Raises Refusal."""
    if not may(doctor, EVERYWHERE):
        raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")


async def _noted(connection: AsyncConnection, act: str, id: str, rule: Rule) -> None:
    """Neither what it is called nor what it looks for."""
    kind = str(rule.test.__struct_config__.tag)
    where = "all" if rule.rooms is None else str(len(rule.rooms))
    detail = {"kind": kind, "action": rule.action, "reason": rule.reason, "rooms": where}
    await audit.append_lounge(connection, act, by="moderator", about=id, detail=detail)


async def _fits(connection: AsyncConnection, id: str, looked: Looked) -> None:
    """The patterns of all rules together take a bounded time. Raises Refusal."""
    others = [_ready(row) for row in await rules.everything(connection) if row.id != id]
    size = looked.size + sum(each[1].size for each in others if each is not None)
    if looked.size and size > LARGEST_TOGETHER:
        raise Refusal(Code.INVALID, "refusal.patterns_large", field="pattern")


def _ready(row: RuleRow) -> tuple[Kept, Looked] | None:
    try:
        rule = msgspec.json.decode(row.body, type=Rule)
        return Kept(row.id, row.version, row.at, rule), Looked(rule)
    except (msgspec.DecodeError, Refusal):  # of another release: the others hold all the same
        log.error("a rule cannot be read", rule=row.id)
        return None


def _encoded(rule: Rule) -> str:
    return msgspec.json.encode(rule).decode()


def _changed() -> Refusal:
    return Refusal(Code.FROZEN, "refusal.rule_changed")


def _unknown() -> Refusal:
    return Refusal(Code.NOT_FOUND, "refusal.no_such_rule")
