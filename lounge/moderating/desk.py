"""The assembly of moderating: its parts, made in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lounge.moderating.accuracy import Accuracy
from lounge.moderating.acts import Acts
from lounge.moderating.appeals import Appeals
from lounge.moderating.board import Board
from lounge.moderating.claims import Claims
from lounge.moderating.docket import Docket
from lounge.moderating.duty import Duty
from lounge.moderating.entry_acts import EntryActs
from lounge.moderating.hands import Hands
from lounge.moderating.hidden import HiddenWords
from lounge.moderating.hiding import Hiding
from lounge.moderating.newcomers import Newcomers
from lounge.moderating.page_words import PageWords
from lounge.moderating.posting import Posting
from lounge.moderating.pulse import Pulse
from lounge.moderating.queue import Queue
from lounge.moderating.rehearsal import Rehearsal
from lounge.moderating.reports import Reports
from lounge.moderating.restricted import Restricted
from lounge.moderating.room_acts import RoomActs
from lounge.moderating.ruling import Ruling
from lounge.moderating.sanctioning import Sanctioning
from lounge.moderating.scopes import Scopes
from lounge.moderating.settling import Settling
from lounge.moderating.waiting import Waiting
from lounge.moderating.waived import WaivedTexts

if TYPE_CHECKING:
    from lounge.opening import Lounge


@dataclass(slots=True)
class Moderating:
    """Everything of moderating that is open. Made by `open_moderating`."""

    acts: Acts
    sanctioning: Sanctioning
    scopes: Scopes
    hands: Hands
    hiding: Hiding
    restricted: Restricted
    pulse: Pulse
    board: Board
    claims: Claims
    accuracy: Accuracy
    duty: Duty
    hidden: HiddenWords
    reports: Reports = field(init=False)
    queue: Queue = field(init=False)
    appeals: Appeals = field(init=False)
    waived: WaivedTexts = field(init=False)
    ruling: Ruling = field(init=False)
    waiting: Waiting = field(init=False)
    rehearsal: Rehearsal = field(init=False)


def open_moderating(lounge: Lounge) -> Moderating:
    """Made last: `lounge` has everything else by then. An act that a part does is put into `acts.handle`."""
    acts, claims = Acts(lounge.conversation), Claims(lounge.keys)
    restricted = Restricted(lounge.database)
    scopes = Scopes(
        database=lounge.database,
        personas=lounge.personas,
        catalogue=lounge.rooms,
        talks=lounge.talks,
        consults=lounge.consults,
        claims=claims,
    )
    hands = Hands(lounge.keys)
    hiding = _open_acts(lounge, acts, scopes, hands)
    sanctioning = Sanctioning(lounge, scopes, hands, hiding, restricted)
    acts.handle |= {
        "warn": sanctioning.warn,
        "mute": sanctioning.mute,
        "remove": sanctioning.remove,
        "hide_hour": sanctioning.hide_hour,
    }
    lounge.sanctions.removed = lounge.door.send_back
    board = Board(
        database=lounge.database,
        catalogue=lounge.rooms,
        news=lounge.news,
        mode=lounge.modes.wire,
        is_hinted=lambda: lounge.bus.is_up,
    )
    moderating = Moderating(
        restricted=restricted,
        pulse=Pulse(lounge.database, lounge.news, lounge.rooms),
        board=board,
        claims=claims,
        accuracy=Accuracy(lounge.belongings),
        duty=Duty(lounge.identity_database, lounge.database),
        hidden=HiddenWords(lounge.database, scopes, restricted),
        acts=acts,
        scopes=scopes,
        hands=hands,
        hiding=hiding,
        sanctioning=sanctioning,
    )
    lounge.conversation.guarding.noted = moderating.pulse.note
    _open_queue(lounge, moderating)
    _open_rules(lounge, moderating)
    return moderating


def _open_acts(lounge: Lounge, acts: Acts, scopes: Scopes, hands: Hands) -> Hiding:
    """What is done with entries and with rooms."""
    advice = lounge.conversation.advice
    assert advice is not None
    hiding = Hiding(
        database=lounge.database,
        advice=advice,
        letters=lounge.conversation.letters,
    )
    entry = EntryActs(
        database=lounge.database,
        conversation=lounge.conversation,
        hiding=hiding,
        scopes=scopes,
        hands=hands,
        page_words=PageWords(
            database=lounge.database,
            identity=lounge.identity_database,
            keys=lounge.keys,
            personas=lounge.personas,
        ),
    )
    room = RoomActs(database=lounge.database, conversation=lounge.conversation, scopes=scopes)
    acts.handle |= {
        "hide": entry.hide,
        "restore": entry.restore,
        "purge": entry.purge,
        "pin": entry.pin,
        "slow": room.slow,
        "freeze": room.freeze,
        "close": room.close,
    }
    acts.again["purge"] = entry.purged
    lounge.conversation.may_moderate = scopes.admit
    return hiding


def _open_queue(lounge: Lounge, part: Moderating) -> None:
    """What doctors report and appeal, and how moderators share it."""
    docket = Docket(
        database=lounge.database,
        personas=lounge.personas,
        talks=lounge.talks,
        consults=lounge.consults,
        scopes=part.scopes,
        transcript=lounge.transcript,
    )
    part.reports = Reports(
        database=lounge.database,
        doctors=lounge.doctors,
        conversation=lounge.conversation,
        personas=lounge.personas,
        limits=lounge.limits,
        keys=lounge.keys,
        accuracy=part.accuracy,
        duty=part.duty,
        scopes=part.scopes,
        hiding=part.hiding,
    )
    part.queue = Queue(
        database=lounge.database,
        doctors=lounge.doctors,
        personas=lounge.personas,
        conversation=lounge.conversation,
        keys=lounge.keys,
        scopes=part.scopes,
        claims=part.claims,
        docket=docket,
        restricted=part.restricted,
        settling=Settling(
            database=lounge.database, conversation=lounge.conversation, acts=part.acts
        ),
    )
    part.appeals = Appeals(
        database=lounge.database,
        doctors=lounge.doctors,
        personas=lounge.personas,
        talks=lounge.talks,
        conversation=lounge.conversation,
        limits=lounge.limits,
        keys=lounge.keys,
        sanctions=lounge.sanctions,
        sanctioning=part.sanctioning,
        acts=part.acts,
        scopes=part.scopes,
        claims=part.claims,
        hands=part.hands,
        docket=docket,
        restricted=part.restricted,
    )
    part.waived = WaivedTexts(docket, part.restricted)


def _open_rules(lounge: Lounge, part: Moderating) -> None:
    """What is asked of a text before it is posted."""
    part.ruling = Ruling(lounge.database, lounge.rooms, lounge.conversation.guarding)
    part.rehearsal = Rehearsal(lounge.database, lounge.rooms, part.ruling, part.restricted)
    part.waiting = Waiting(
        database=lounge.database,
        conversation=lounge.conversation,
        house_acts=lounge.house_acts,
        personas=lounge.personas,
        keys=lounge.keys,
        modes=lounge.modes,
        pulse=part.pulse,
        claims=part.claims,
        scopes=part.scopes,
        restricted=part.restricted,
        doctor_ids=lounge.doctors.verified_ids,
        sanctions=lounge.sanctions,
    )
    hours = 0 if lounge.settings.synthetic else lounge.settings.newcomer_hours
    newcomers = Newcomers(hours, lounge.limits)
    lounge.conversation.posting = Posting(part.ruling, newcomers, part.waiting)
    lounge.accounts.leaving.forget = part.waiting.forget
