"""The assembly of on call: its parts, made in order."""

from __future__ import annotations

from dataclasses import dataclass

from lounge.belongings import Belongings
from lounge.clock import now_ms
from lounge.conversation import Conversation
from lounge.doctors import Doctors
from lounge.due import Dues
from lounge.house_acts import HouseActs
from lounge.keys import Keys
from lounge.limits import Limits
from lounge.mail import carrier_of
from lounge.officers import Seals
from lounge.oncall.alerts import Alerts
from lounge.oncall.answers import Answers
from lounge.oncall.asks import Asks
from lounge.oncall.available import Available
from lounge.oncall.budget import Budget
from lounge.oncall.by_mail import ByMail
from lounge.oncall.carrier import Carrier
from lounge.oncall.changes import Changes
from lounge.oncall.escalation import Escalation
from lounge.oncall.feeds import Feeds
from lounge.oncall.formal import Formal
from lounge.oncall.gateway import Gateway, read_secrets
from lounge.oncall.handover import Handover
from lounge.oncall.keeping import Keeping
from lounge.oncall.listing import Listing
from lounge.oncall.members import Members
from lounge.oncall.outside import Outside
from lounge.oncall.pages import Pages
from lounge.oncall.places import Places
from lounge.oncall.planning import Planning
from lounge.oncall.push import Push
from lounge.oncall.reach import Reaches
from lounge.oncall.record import Record
from lounge.oncall.roles import Roles
from lounge.oncall.rosters import Rosters
from lounge.oncall.sending import Sending
from lounge.oncall.steps import Steps
from lounge.oncall.summons import Summons
from lounge.personas import Personas
from lounge.rooms import Catalogue
from lounge.sanctions import Sanctions
from lounge.screen_names import ScreenNames
from lounge.settings import Settings
from lounge.telling import Telling
from storage.database import Database

LEASE_MS = 1_000
"""Shorter than for what can wait: after that long the step of a process that died is another's."""
STEPS_AT_ONCE = 8
"""So few are held up by that, and other processes have a share of what is due in the same moment."""


@dataclass(slots=True)
class OnCall:
    """Everything of on call that is open. Made by `open_oncall`."""

    dues: Dues
    """Of pages: steps, repeats, mornings, ends."""
    alerts: Alerts
    carrier: Carrier
    gateway: Gateway
    reach: Reaches
    roles: Roles
    rosters: Rosters
    keeping: Keeping
    members: Members
    changes: Changes
    feeds: Feeds
    handover: Handover
    listing: Listing
    available: Available
    asks: Asks
    budget: Budget
    record: Record
    steps: Steps
    escalation: Escalation
    sending: Sending
    pages: Pages
    answers: Answers


def open_oncall(
    *,
    settings: Settings,
    identity: Database,
    database: Database,
    keys: Keys,
    doctors: Doctors,
    catalogue: Catalogue,
    personas: Personas,
    belongings: Belongings,
    screen_names: ScreenNames,
    conversation: Conversation,
    places: Places,
    seals: Seals,
    sanctions: Sanctions,
    house_acts: HouseActs,
    telling: Telling,
    limits: Limits,
    daily: Dues,
) -> OnCall:
    """Make the parts. `daily` is the lounge's own table of what is due, for what may be a second late.

    Raises KeyFault for a gateway's secret that cannot be read.
    """
    outside = Outside()
    push = Push(keys.identity, settings.push_hosts, settings.mail_from, outside)
    secrets = read_secrets(settings.gateway_secret_file)
    gateway, by_mail = Gateway(settings.gateway_url, secrets, outside), ByMail(carrier_of(settings))
    budget = Budget(identity, lifted=settings.bench)
    alerts = Alerts(keys, noted=budget.noted)
    carrier = Carrier(
        identity=identity,
        keys=keys,
        alerts=alerts,
        senders={"push": push, "mail": by_mail, "sms": gateway, "voice": gateway},
        page_of=places.find,
        closing=outside.close,
    )
    roles = Roles(identity, catalogue)
    rosters = Rosters(identity, keys, roles)
    reach = Reaches(
        identity=identity,
        keys=keys,
        push=push,
        gateway=gateway,
        alerts=alerts,
        wake=carrier.wake,
    )
    summons = Summons(
        database=database,
        keys=keys,
        personas=personas,
        doctor_ids=doctors.verified_ids,
        clock=now_ms,
    )
    steps = Steps(database=database, places=places, summons=summons, clock=now_ms)
    steps.working = reach.working
    escalation = Escalation(
        database=database,
        places=places,
        house_acts=house_acts,
        steps=steps,
        summons=summons,
        clock=now_ms,
    )
    sending = Sending(
        conversation=conversation,
        belongings=belongings,
        places=places,
        steps=steps,
        roles=roles,
        limits=limits,
        keys=keys,
        clock=now_ms,
    )
    sending.admit = budget.admit
    planning = Planning(
        places=places,
        personas=personas,
        steps=steps,
        summons=summons,
        seal=seals.seal,
        clock=now_ms,
    )
    pages = Pages(
        conversation=conversation,
        belongings=belongings,
        places=places,
        house_acts=house_acts,
        steps=steps,
        planning=planning,
        summons=summons,
        limits=limits,
        doctor_of=doctors.find,
        may_speak=sanctions.may_speak,
        clock=now_ms,
    )
    conversation.spoke = pages.spoke
    formal = Formal(
        database=database,
        keys=keys,
        real_name=screen_names.real_name,
        role_of=roles.find,
        number=reach.number,
    )
    planning.formal_letters, conversation.spared = formal.letters, formal.spared
    available = Available(identity, limits)
    asks = Asks(
        database=database,
        catalogue=catalogue,
        sending=sending,
        escalation=escalation,
        steps=steps,
        available=available,
        budget=budget,
    )
    handover = Handover(
        identity=identity, database=database, keys=keys, working=reach.working, clock=now_ms
    )
    handover.join(daily.handle)
    roles.followers.append(handover.changed)
    made = OnCall(
        dues=Dues(database, lease_ms=LEASE_MS, at_once=STEPS_AT_ONCE),
        alerts=alerts,
        carrier=carrier,
        gateway=gateway,
        reach=reach,
        roles=roles,
        rosters=rosters,
        keeping=Keeping(identity, keys, roles, rosters),
        members=Members(identity, keys, roles, rosters),
        changes=Changes(identity, keys, roles),
        feeds=Feeds(identity, keys, roles),
        handover=handover,
        listing=Listing(identity, roles, rosters, working=reach.working, loads=budget.load),
        available=available,
        asks=asks,
        budget=budget,
        record=Record(database, roles),
        steps=steps,
        escalation=escalation,
        sending=sending,
        pages=pages,
        answers=Answers(identity=identity, keys=keys, pages=pages),
    )
    made.dues.handle.update(escalation.handle)
    return made
