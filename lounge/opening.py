"""The assembly: every part of the lounge, made in order, on one screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.bus import Bus, Hint
from channels.hub import Hub
from channels.log import Reader
from channels.ring import Framer
from lounge.accounts import Accounts, open_accounts
from lounge.advice import Advice
from lounge.anchors import Anchors
from lounge.asking import Asking
from lounge.ballots import Ballots
from lounge.belongings import Belongings
from lounge.board import Board as ConsultBoard
from lounge.cases import Cases
from lounge.changes import Changes
from lounge.closing import Closing
from lounge.consults import Consults
from lounge.conversation import Conversation
from lounge.counting import Counting
from lounge.credentials.applications import Applications
from lounge.credentials.houses import Houses
from lounge.credentials.joining import Joining, open_joining
from lounge.doctors import Doctors
from lounge.door import Door
from lounge.due import Dues
from lounge.errors import Close
from lounge.house_acts import HouseActs
from lounge.keys import Keys, open_keys
from lounge.limits import Limits
from lounge.looking import Looking
from lounge.moderating.desk import Moderating, open_moderating
from lounge.moderating.modes import Modes
from lounge.news import News
from lounge.notices import Notice, Notices, Relay
from lounge.officers import Enrolment, Seals
from lounge.oncall.desk import OnCall, open_oncall
from lounge.oncall.gateway import read_secrets
from lounge.oncall.places import Places
from lounge.oncall.widening import Widening
from lounge.personas import Crowd, Personas
from lounge.polls import Polls
from lounge.private import PrivateLogs
from lounge.receipts import Receipts
from lounge.reveals import Reveals
from lounge.rooms import Catalogue, open_catalogue
from lounge.sanctions import Sanctions
from lounge.screen_names import ScreenNames
from lounge.search import Search
from lounge.settings import Settings
from lounge.signals import Signals
from lounge.talks import Talks
from lounge.telling import Telling
from lounge.transcript import Transcript, committed
from lounge.unsealing import Unsealing
from presence.board import Board
from presence.leases import Leases
from storage import entries, gate
from storage.database import Broken, Database, StorageError
from storage.migrations import current, upgrade
from storage.writer import Commit, Writer

log = structlog.get_logger()

DOOR_SECONDS = 0.25
WATCH_SECONDS = 0.5
TIDY_SECONDS = 1.0
MINUTE_SECONDS = 60.0
MAIL_SECONDS = 1.0
DUE_SECONDS = 1.0
PAGING_SECONDS = 0.25
RECHECK_SECONDS = 5.0
PULSE_SECONDS = 0.5
BOARD_SECONDS = 1.0
ANCHOR_SECONDS = 0.75
LONGEST_WAIT_SECONDS = 10.0
STEADY_SECONDS = 30.0


class NotUpgraded(Exception):  # noqa: N818 - said to the operator as it stands
    """A database is not at the newest revision: `lounge upgrade` brings it there."""


@dataclass(slots=True)
class Lounge:
    """Everything that is open. Made by `open_lounge`, handed to whoever serves."""

    settings: Settings
    keys: Keys
    database: Database
    identity_database: Database
    rooms: Catalogue
    doctors: Doctors
    accounts: Accounts
    joining: Joining
    belongings: Belongings
    notices: Notices
    private: PrivateLogs
    relay: Relay
    personas: Personas
    screen_names: ScreenNames
    door: Door
    limits: Limits
    news: News
    transcript: Transcript
    reader: Reader
    hub: Hub
    bus: Bus
    writer: Writer
    conversation: Conversation
    talks: Talks
    consults: Consults
    pages: Places
    looking: Looking
    board: ConsultBoard
    signals: Signals
    search: Search
    sanctions: Sanctions
    modes: Modes
    anchors: Anchors
    seals: Seals
    enrolment: Enrolment
    house_acts: HouseActs
    telling: Telling
    changes: Changes
    dues: Dues
    asking: Asking = field(init=False)
    reveals: Reveals = field(init=False)
    cases: Cases = field(init=False)
    ballots: Ballots = field(init=False)
    unsealing: Unsealing = field(init=False)
    closing: Closing = field(init=False)
    receipts: Receipts = field(init=False)
    polls: Polls = field(init=False)
    oncall: OnCall = field(init=False)
    moderating: Moderating = field(init=False)
    faults: dict[str, str] = field(default_factory=dict)
    """Background loops that are down just now, and the kind of fault."""
    parting: tuple[Close, int] | None = None
    """Set once this process goes away: with which code, and within how many ms to come back."""
    _rounds: int = 0
    _officers_at: int | None = None
    _seal_rest: bool = True

    @property
    def applications(self) -> Applications:
        """How doctors come to stand, and stop."""
        return self.joining.applications

    @property
    def houses(self) -> Houses:
        """Other houses whose sign-in is believed."""
        return self.joining.houses

    # -- what goes on in the background ----------------------------------------------------------

    def announce(self, commits: Sequence[Commit]) -> None:
        """Just committed here: to local cursors at once, and a hint to the other processes."""
        for commit in commits:
            if commit.placed:
                last = commit.placed[-1]
                self.tell(Hint(commit.room, last.seq, last.says, tuple(committed(commit))))
        if any(commit.act.letters for commit in commits):
            self.relay.wake()

    def tell(self, hint: Hint) -> None:
        """A room has come further: to local cursors, and to the other processes."""
        self.hear(hint)
        self.bus.publish(hint)

    def hear(self, hint: Hint) -> None:
        """A commit somewhere: what can be used of it is, the rest is read."""
        self.news.note(hint.room, hint.head, hint.count)
        self.modes.hear(hint.room, hint.items)
        self.hub.apply(hint.room, hint.items, hint.head)

    async def check_door(self) -> None:
        """Only whoever was looked up less than a second ago is sent anything."""
        await self.door.watch()

    async def watch(self) -> None:
        """Read the gate, and the heads of what is live: no hint is needed for anything to arrive."""
        stood = self.hub.heads()
        wanted = set(self.hub.names()) | (self.news.interest() if self._slow_round() else set())
        async with self.database.reading() as connection:
            await self.sanctions.read(connection)  # first: it counts by when its snapshot was taken
            await self.moderating.ruling.read(connection)
            await self.modes.read(connection)
            epoch = await gate.epoch(connection)
            heads = await entries.heads(connection, wanted) if wanted else []
        self.door.heard(epoch)
        coming = self.writer.rooms
        for head in heads:
            if head.id not in coming:  # else it may be in SQL already and is told in a moment
                self._polled(head.slug, head.seq, head.says, head.oldest, stood)
        if self.private.names():
            for name, seq in (await self.private.heads()).items():
                self._polled(name, seq, seq, 1, stood)
        await self._follow_officers(epoch)

    async def _follow_officers(self, epoch: int) -> None:
        """Who changes officers moves the gate."""
        if epoch != self._officers_at:
            self._seal_rest |= await self.seals.refresh()
            self._officers_at = epoch

    def _polled(self, name: str, seq: int, says: int, oldest: int, stood: dict[str, int]) -> None:
        self.news.note(name, seq, says)
        self.hub.polled(name, seq, oldest, stood.get(name, 0))

    def _slow_round(self) -> bool:
        self._rounds = (self._rounds + 1) % 4
        return self._rounds == 0

    async def tidy(self) -> None:
        """Empty logs of erased bytes, forget rooms that nobody is in."""
        await self.database.tidy()
        self.hub.sweep()

    async def each_minute(self) -> None:
        """Count the crowd behind each badge again; note which visits are in use."""
        self.door.check()
        self.personas.crowd = await count_crowd(self.doctors, self.rooms, self.settings)
        visits = {guest.visit for guest in self.door.guests()}
        self.private.forget({*self.hub.names(), *self.news.look()})
        if visits:
            await self.doctors.touch(visits)
        await self.accounts.leaving.erase_due()
        await self.oncall.available.forget()
        await self.oncall.budget.forget()
        await self.moderating.duty.forget()
        self.keys.refresh()
        if self._seal_rest:  # what was said while the officers were being enrolled
            await self.enrolment.seal_rest()
            self._seal_rest = False

    async def carry_mail(self) -> None:
        """Write the letters that were asked for, and send what is due."""
        await self.accounts.recovery.write()
        await self.joining.postman.carry()

    def poll_now(self) -> None:
        """The bus is back: whatever was said meanwhile is read at the next look."""
        self._rounds = -1


@asynccontextmanager
async def open_lounge(
    settings: Settings, framers: dict[str, Framer], broken: Callable[[], None]
) -> AsyncIterator[Lounge]:
    """Open the lounge; on leaving, everything queued is committed and written before it closes.

    `framers` turn a JSON event into the bytes that sockets of each dialect are sent. `broken` is called
    when the disk fails under the database: it should end the process, for only a new one reads what is
    really there. Raises NotUpgraded, KeyFault, RoomsFileError, StorageError.
    """
    if settings.redis_url is None:
        raise ValueError(
            "REDIS_URL is needed here; `lounge serve` starts a Valkey when it is unset"
        )
    database, identity = Database(settings.database_url), Database(settings.identity_url)
    # Whoever uses it has a patience of its own; redis-py's is `asyncio.wait_for`, which on Python 3.11
    # may swallow a cancellation, and then a loop never ends.
    redis = Redis.from_url(settings.redis_url, socket_timeout=None)
    try:
        await ready_stores(settings, database, identity)
        keys = await open_keys(settings, identity, database)
        catalogue = open_catalogue(settings.rooms_file, bench=settings.bench)
        lounge = await _assembled(settings, keys, database, identity, catalogue, redis, framers)
        loops = [
            asyncio.create_task(_for_ever(lounge, name, work, pause, broken))
            for name, work, pause in _loops(lounge)
        ]
        try:
            yield lounge
        finally:
            await lounge.writer.drain()
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await lounge.reader.close()
            await lounge.belongings.close()
            await lounge.anchors.close()
            lounge.doctors.close()
    finally:
        await redis.aclose()
        await database.close()
        await identity.close()


async def _assembled(
    settings: Settings,
    keys: Keys,
    database: Database,
    identity: Database,
    catalogue: Catalogue,
    redis: Redis,
    framers: dict[str, Framer],
) -> Lounge:
    doctors = Doctors(identity, database, keys, settings)
    crowd = await count_crowd(doctors, catalogue, settings)
    personas = Personas(keys.persona.subkey("persona"), catalogue, crowd)
    house = keys.persona.subkey("house")[:8].hex()  # what others on the same Redis do not share
    notices, belongings = Notices(identity, keys), Belongings(identity, keys)
    private = PrivateLogs(keys, notices, lambda hint: lounge.tell(hint))
    transcript = Transcript(database, private)
    reader = Reader(transcript)
    door = Door(doctors, sure_again=lambda: lounge.hub.release())
    limits = Limits(lifted=settings.bench)
    writer = Writer(database, lambda commits: lounge.announce(commits))
    screen_names = ScreenNames(identity, doctors)
    consults, house_acts = Consults(database), HouseActs(writer)
    pages = Places(database, personas)
    telling = Telling(
        identity=identity,
        database=database,
        keys=keys,
        belongings=belongings,
        personas=personas,
        consults=consults,
        house_acts=house_acts,
        doctor_ids=doctors.verified_ids,
    )

    async def arriving(
        connection: AsyncConnection, doctor_id: str, notices: Sequence[Mapping[str, object]]
    ) -> list[bool]:
        await lounge.oncall.alerts.arriving(connection, doctor_id, notices)
        await lounge.moderating.accuracy.arriving(connection, doctor_id, notices)
        return await telling.arriving(connection, doctor_id, notices)

    async def delivered(doctor_id: str, notices: Sequence[Notice]) -> None:
        await private.delivered(doctor_id, notices)
        lounge.oncall.carrier.delivered(notices)

    talks, signals = Talks(database, personas), Signals(lambda body: lounge.bus.signal(body))
    sanctions, seals = Sanctions(database, keys), Seals(identity, keys)
    modes = Modes(database)
    lounge = Lounge(
        settings=settings,
        keys=keys,
        database=database,
        identity_database=identity,
        rooms=catalogue,
        doctors=doctors,
        accounts=open_accounts(
            identity, database, keys, settings, doctors, belongings, seals, personas.all_ids_of
        ),
        joining=open_joining(settings, identity, database, keys, doctors, sanctions),
        belongings=belongings,
        notices=notices,
        private=private,
        relay=Relay(identity, database, keys, delivered, arriving),
        personas=personas,
        screen_names=screen_names,
        door=door,
        limits=limits,
        news=News(Leases(redis, house), Board(redis, house)),
        transcript=transcript,
        reader=reader,
        hub=Hub(
            reader,
            framers,
            soon=_soon,
            clock=time.monotonic,
            may_write=door.is_sure,
        ),
        bus=Bus(
            redis,
            house,
            keys.persona.subkey("bus"),
            lambda hint: lounge.hear(hint),
            lambda: lounge.poll_now(),
            signals.hear,
        ),
        writer=writer,
        conversation=Conversation(
            database=database,
            writer=writer,
            personas=personas,
            catalogue=catalogue,
            door=door,
            limits=limits,
            keys=keys,
            doctor_ids=doctors.verified_ids,
            real_name=screen_names.real_name,
            talks=talks,
            consults=consults,
            pages=pages,
            sanctions=sanctions,
            seals=seals,
            advice=Advice(
                database=database,
                personas=personas,
                consults=consults,
                telling=telling,
                doctor_ids=doctors.verified_ids,
            ),
            modes=modes,
        ),
        talks=talks,
        consults=consults,
        pages=pages,
        looking=Looking(database, keys, limits, consults),
        board=ConsultBoard(database, personas),
        signals=signals,
        search=Search(database, catalogue, talks, consults, pages, sanctions),
        sanctions=sanctions,
        modes=modes,
        anchors=_anchors(settings, identity, database),
        seals=seals,
        enrolment=Enrolment(identity, database, keys, personas),
        house_acts=house_acts,
        telling=telling,
        changes=Changes(database, belongings),
        dues=Dues(database),
    )
    lounge.asking = Asking(
        database=database,
        conversation=lounge.conversation,
        talks=talks,
        personas=personas,
        belongings=belongings,
        limits=limits,
        keys=keys,
        doctor_ids=doctors.verified_ids,
    )
    _open_consults(lounge)
    _open_polls(lounge)
    lounge.reveals = Reveals(
        database=database,
        conversation=lounge.conversation,
        personas=personas,
        belongings=belongings,
        limits=limits,
        keys=keys,
        doctor_ids=doctors.verified_ids,
        real_name=screen_names.real_name,
    )
    lounge.oncall = open_oncall(
        settings=settings,
        identity=identity,
        database=database,
        keys=keys,
        doctors=doctors,
        catalogue=catalogue,
        personas=personas,
        belongings=belongings,
        screen_names=screen_names,
        conversation=lounge.conversation,
        places=pages,
        seals=seals,
        sanctions=sanctions,
        house_acts=house_acts,
        telling=telling,
        limits=limits,
        daily=lounge.dues,
    )
    lounge.moderating = open_moderating(lounge)
    async with database.reading() as connection:
        await modes.read(connection)
        for head in await entries.heads(connection):
            lounge.news.note(head.slug, head.seq, head.says)
    await sanctions.refresh()
    await seals.refresh()
    await lounge.oncall.handover.begin()
    writer.epoch = await doctors.move_gate()
    await door.watch()
    await lounge.news.roster.tick()  # nobody is shown another band here than elsewhere
    return lounge


def _open_consults(lounge: Lounge) -> None:
    """What leads a case from its question to its outcome, and what comes due on the way."""
    lounge.cases = Cases(
        conversation=lounge.conversation,
        consults=lounge.consults,
        catalogue=lounge.rooms,
        limits=lounge.limits,
        keys=lounge.keys,
        widening=Widening(lounge.database, lounge.personas),
    )
    lounge.ballots = Ballots(
        database=lounge.database,
        conversation=lounge.conversation,
        consults=lounge.consults,
        personas=lounge.personas,
        limits=lounge.limits,
        keys=lounge.keys,
    )
    lounge.unsealing = Unsealing(
        database=lounge.database,
        conversation=lounge.conversation,
        consults=lounge.consults,
        personas=lounge.personas,
        limits=lounge.limits,
        house_acts=lounge.house_acts,
    )
    lounge.dues.handle["consult.count"] = lounge.unsealing.count
    lounge.dues.handle["consult.close"] = lounge.unsealing.close
    lounge.closing = Closing(
        database=lounge.database,
        conversation=lounge.conversation,
        consults=lounge.consults,
        telling=lounge.telling,
        house_acts=lounge.house_acts,
        limits=lounge.limits,
        unseal=lounge.unsealing.unseal,
    )
    lounge.receipts = Receipts(
        database=lounge.database,
        conversation=lounge.conversation,
        consults=lounge.consults,
        personas=lounge.personas,
        limits=lounge.limits,
        keys=lounge.keys,
        doctor_ids=lounge.doctors.verified_ids,
    )
    lounge.dues.handle["consult.remind"] = lounge.closing.remind
    lounge.dues.handle["told"] = lounge.telling.do_due


def _open_polls(lounge: Lounge) -> None:
    counting = Counting(lounge.database, lounge.house_acts)
    lounge.polls = Polls(
        database=lounge.database,
        conversation=lounge.conversation,
        consults=lounge.consults,
        counting=counting,
        limits=lounge.limits,
        keys=lounge.keys,
    )
    lounge.dues.handle["poll.count"] = counting.count
    lounge.dues.handle["poll.close"] = counting.close


def _anchors(settings: Settings, identity: Database, database: Database) -> Anchors:
    secrets = read_secrets(settings.audit_secret_file)
    return Anchors(identity, database, settings.data, url=settings.audit_webhook, secrets=secrets)


def _soon(step: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(step)


async def ready_stores(settings: Settings, database: Database, identity: Database) -> None:
    """SQLite upgrades itself; anything larger is upgraded on purpose."""
    if settings.embedded:
        await upgrade(database, "lounge")
        await upgrade(identity, "identity")
    if not (await current(database, "lounge") and await current(identity, "identity")):
        raise NotUpgraded(
            "the databases are not at the newest revision: run `lounge upgrade` first"
        )


async def count_crowd(doctors: Doctors, catalogue: Catalogue, settings: Settings) -> Crowd:
    """What the k-guard counts, as of now."""
    return Crowd.of(await doctors.crowd(), catalogue, settings.badge_crowd)


Work = Callable[[], Awaitable[None]]


def _loops(lounge: Lounge) -> list[tuple[str, Work, float]]:
    """What runs in the background: name, what, and the pause between two rounds."""
    return [
        ("writer", lounge.writer.run, 0.0),
        ("bus", lounge.bus.run, 0.0),
        ("news", lounge.news.run, 0.0),
        ("relay", lounge.relay.run, 0.0),
        ("belongings", lounge.belongings.run, 0.0),
        ("door", lounge.check_door, DOOR_SECONDS),
        ("watch", lounge.watch, WATCH_SECONDS),
        ("tidy", lounge.tidy, TIDY_SECONDS),
        ("minute", lounge.each_minute, MINUTE_SECONDS),
        ("mail", lounge.carry_mail, MAIL_SECONDS),
        ("due", lounge.dues.run_due, DUE_SECONDS),
        ("paging", lounge.oncall.dues.run_due, PAGING_SECONDS),
        ("alerts", lounge.oncall.carrier.run, 0.0),
        ("recheck", lounge.applications.recheck_due, RECHECK_SECONDS),
        ("pulse", lounge.moderating.pulse.write, PULSE_SECONDS),
        ("board", lounge.moderating.board.round, BOARD_SECONDS),
        ("audit", lounge.anchors.note, ANCHOR_SECONDS),
        ("anchor", lounge.anchors.tell, ANCHOR_SECONDS),
    ]


async def _for_ever(
    lounge: Lounge, name: str, work: Work, pause: float, broken: Callable[[], None]
) -> None:
    """Run, and after a fault log its kind, back off and run again; `/readyz` shows what is down."""
    wait = WATCH_SECONDS
    longest = WATCH_SECONDS if pause and pause <= WATCH_SECONDS else LONGEST_WAIT_SECONDS
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        try:
            await work()
            lounge.faults.pop(name, None)
            wait = WATCH_SECONDS
            await asyncio.sleep(pause)
            continue
        except StorageError as error:
            lounge.faults[name] = str(error)
            if isinstance(error, Broken):
                log.critical("the disk failed under the database", loop=name, fault=str(error))
                broken()
            log.warning("loop waits for the database", loop=name, fault=str(error))
        except Exception as error:
            lounge.faults[name] = type(error).__name__
            log.error("loop failed", loop=name, fault=type(error).__name__, exc_info=True)
        if loop.time() - began > STEADY_SECONDS:
            wait = WATCH_SECONDS
        await asyncio.sleep(wait)
        wait = min(wait * 2, longest)
        lounge.faults.pop(name, None)  # it runs again; some never return to say so
