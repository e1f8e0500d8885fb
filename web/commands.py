"""What each command of the wire does, wherever it came in. Joining and leaving are the connection's."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from lounge.attendance import Attendance
from lounge.cases import Case
from lounge.conversation import Outcome
from lounge.errors import Code, Locked, Refusal, StorageError
from lounge.events import rfc3339
from lounge.moderating.asked import Asked
from lounge.oncall.sending import Paging
from lounge.opening import Lounge
from lounge.polls import NewPoll, Tally
from lounge.words import say
from web import wire
from web.dialects import Dialect

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, from where, and how the answer is to be encoded."""

    lounge: Lounge
    attendance: Attendance
    dialect: Dialect
    language: str


async def answer(asker: Asker, command: wire.Command) -> wire.Reply:
    """Do it and answer. Raises Refusal, StorageError, Gone."""
    return await _HANDLERS[type(command)](asker, command)


def no_nul(command: wire.Command) -> None:
    """One database takes a NUL and the other does not: neither gets to see one. Raises Refusal."""
    for name in command.__struct_fields__:
        value = getattr(command, name)
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and "\0" in text for text in texts):
            raise Refusal(Code.INVALID, "refusal.nul", field=name)


def op(command: wire.Command) -> str:
    """The command's name on the wire."""
    return str(type(command).__struct_config__.tag)


def refusal_of(error: Exception, command: wire.Command) -> Refusal:
    """What the asker is told of a fault; logs keep only its kind."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, StorageError):
        log.warning("storage", op=op(command), fault=str(error))
        if isinstance(error, Locked):
            return Refusal(Code.BUSY, "refusal.busy", retry_after=2)
        return Refusal(Code.STORAGE, "refusal.storage", retry_after=2)
    mark = secrets.token_hex(4)
    fault = type(error).__name__
    log.error("command failed", op=op(command), mark=mark, fault=fault, exc_info=error)
    return Refusal(Code.INTERNAL, "refusal.internal", mark=mark)


def worded(ref: wire.Ref | None, refusal: Refusal, language: str) -> wire.Error:
    """A refusal as a person reads it."""
    spans = [wire.held(span, language) for span in refusal.spans]
    return wire.Error(
        ref=ref,
        code=refusal.code,
        message=say(refusal.key, language, **refusal.values),
        retry_after=msgspec.UNSET if refusal.retry_after is None else refusal.retry_after,
        spans=spans or msgspec.UNSET,
        field=_field(refusal),
    )


async def _say(asker: Asker, command: wire.Say) -> wire.Said:
    outcome = await asker.lounge.conversation.say(
        asker.attendance.seat(command.room),
        command.cid,
        command.text,
        command.reply_to,
        command.face,
        command.sort,
        not_patient=command.not_patient,
    )
    placed = outcome.placed[0]
    return wire.Said(
        ref=command.ref,
        seq=placed.seq,
        id=placed.id,
        at=rfc3339(placed.at),
        duplicate=_duplicate(outcome),
    )


async def _edit(asker: Asker, command: wire.Edit) -> wire.Changed:
    seat = asker.attendance.seat(command.room)
    outcome = await asker.lounge.conversation.edit(
        seat, command.seq, command.cid, command.text, not_patient=command.not_patient
    )
    return _changed(command, outcome)


async def _redact(asker: Asker, command: wire.Redact) -> wire.Changed:
    seat = asker.attendance.seat(command.room)
    outcome = await asker.lounge.conversation.redact(
        seat, command.seq, command.cid, command.reason, not_patient=command.not_patient
    )
    return _changed(command, outcome)


async def _react(asker: Asker, command: wire.React) -> wire.Changed:
    seat = asker.attendance.seat(command.room)
    outcome = await asker.lounge.conversation.react(
        seat, command.seq, command.cid, command.emoji, command.on
    )
    return _changed(command, outcome)


async def _report(asker: Asker, command: wire.Report) -> wire.Done:
    seat = asker.attendance.seat(command.room)
    outcome = await asker.lounge.moderating.reports.report(
        seat,
        command.seq,
        command.cid,
        command.kind,
        command.note,
        not_patient=command.not_patient,
    )
    return wire.Done(ref=command.ref, duplicate=_duplicate(outcome))


async def _ack(asker: Asker, command: wire.Ack) -> wire.Noted:
    await asker.attendance.acknowledge(command.room, command.seq)
    return wire.Noted(ref=command.ref)


async def _history(asker: Asker, command: wire.History) -> wire.Past:
    stretch = await asker.attendance.history(
        command.room, command.before, command.after, command.around, command.limit
    )
    return wire.Past(
        ref=command.ref,
        events=[msgspec.Raw(asker.dialect.event(payload)) for payload in stretch.events],
        oldest=stretch.oldest,
        head=stretch.head,
        more=True if stretch.more else msgspec.UNSET,
    )


async def _read(asker: Asker, command: wire.Read) -> wire.Done:
    await asker.attendance.read(command.room, command.seq)
    return wire.Done(ref=command.ref)


async def _search(asker: Asker, command: wire.Search) -> wire.Hits:
    found, cursor = await asker.attendance.search(
        command.q, command.room, command.limit, command.cursor
    )
    return wire.Hits(
        ref=command.ref,
        hits=[wire.hit(each) for each in found],
        cursor=msgspec.UNSET if cursor is None else cursor,
    )


async def _face(asker: Asker, command: wire.Face) -> wire.Faced:
    await asker.attendance.wear(command.room, command.face, command.exact)
    worn = asker.attendance.worn(command.room)
    return wire.Faced(ref=command.ref, you=worn.you, face=worn.face, exact=worn.exact)


async def _preview(asker: Asker, command: wire.Preview) -> wire.Previewed:
    by = await asker.attendance.preview(command.room, command.face, command.exact)
    crowd = asker.attendance.crowd(command.room)
    return wire.Previewed(ref=command.ref, by=by, crowd=wire.CrowdBand(*crowd))


async def _retire(asker: Asker, command: wire.Retire) -> wire.Retired:
    return wire.Retired(ref=command.ref, you=await asker.attendance.retire(command.room))


async def _ignore(asker: Asker, command: wire.Ignore) -> wire.Ignored:
    ignored = asker.attendance.ignore(command.room, command.persona, command.on)
    return wire.Ignored(ref=command.ref, ignored=ignored)


async def _reveal(asker: Asker, command: wire.Reveal) -> wire.Done:
    seat = asker.attendance.seat(command.room)
    outcome = await asker.lounge.reveals.offer(seat, command.seq, command.cid)
    return wire.Done(ref=command.ref, duplicate=_duplicate(outcome))


async def _talk(asker: Asker, command: wire.Talk) -> wire.Asked:
    seat = asker.attendance.seat(command.room)
    asked = await asker.lounge.asking.ask(seat, command.seq, command.cid)
    return wire.Asked(
        ref=command.ref,
        talk=asked.talk,
        duplicate=True if asked.duplicate else msgspec.UNSET,
        waiting=True if asked.waiting else msgspec.UNSET,
    )


async def _talk_answer(asker: Asker, command: wire.TalkAnswer) -> wire.Done:
    outcome = await asker.attendance.answer_talk(command.talk, command.accept, command.cid)
    return wire.Done(ref=command.ref, duplicate=_duplicate(outcome))


async def _talk_end(asker: Asker, command: wire.TalkEnd) -> wire.Changed:
    outcome = await asker.lounge.asking.end(asker.attendance.seat(command.room), command.cid)
    return _changed(command, outcome)


async def _opine(asker: Asker, command: wire.Opine) -> wire.Done:
    seat = asker.attendance.seat(command.room)
    outcome = await asker.lounge.ballots.opine(
        seat, command.cid, command.ranked, command.why, not_patient=command.not_patient
    )
    return wire.Done(ref=command.ref, duplicate=_duplicate(outcome))


async def _unopine(asker: Asker, command: wire.Unopine) -> wire.Done:
    seat = asker.attendance.seat(command.room)
    outcome = await asker.lounge.ballots.unopine(seat, command.cid)
    return wire.Done(ref=command.ref, duplicate=_duplicate(outcome))


async def _opinions(asker: Asker, command: wire.Opinions) -> wire.Views:
    views = await asker.lounge.ballots.views(asker.attendance.seat(command.room))
    own, others = views.own, views.others
    return wire.Views(
        ref=command.ref,
        own=wire.opinion(own, badged=False) if own else msgspec.UNSET,
        opinions=msgspec.UNSET
        if others is None
        else [wire.opinion(each, badged=True) for each in others],
        suggestions=list(views.suggestions) or msgspec.UNSET,
    )


async def _unseal(asker: Asker, command: wire.Unseal) -> wire.Changed:
    seat = asker.attendance.seat(command.room)
    return _changed(command, await asker.lounge.unsealing.unseal(seat, command.cid))


async def _merge(asker: Asker, command: wire.Merge) -> wire.Changed:
    seat = asker.attendance.seat(command.room)
    outcome = await asker.lounge.unsealing.merge(seat, command.cid, command.into, command.labels)
    return _changed(command, outcome)


async def _seen(asker: Asker, command: wire.Seen) -> wire.Noted:
    asker.attendance.signal(command.room, seq=command.seq)
    return wire.Noted(ref=command.ref)


async def _writing(asker: Asker, command: wire.Writing) -> wire.Noted:
    asker.attendance.signal(command.room, on=command.on)
    return wire.Noted(ref=command.ref)


async def _signals(asker: Asker, command: wire.Signals) -> wire.Noted:
    asker.attendance.turn_signals(command.on)
    return wire.Noted(ref=command.ref)


def _field(refusal: Refusal) -> Any:
    """Which of the command's texts it is about."""
    return refusal.values.get("field", msgspec.UNSET)


async def _consult(asker: Asker, command: wire.Consult) -> wire.Consulted:
    case = Case(
        question=command.question,
        decision=command.decision,
        age=command.age,
        sex=command.sex,
        presentation=command.presentation,
        findings=command.findings,
        tried=command.tried,
        urgency=command.urgency,
        specialties=tuple(command.specialties),
        closes_in=command.closes_in,
        enough=command.enough,
        page=command.page,
        not_patient=command.not_patient,
    )
    opened = await asker.attendance.open_case(case, command.face, command.exact, command.cid)
    return wire.Consulted(
        ref=command.ref,
        consult=opened.room,
        duplicate=True if opened.duplicate else msgspec.UNSET,
    )


async def _ask_now(asker: Asker, command: wire.AskNow) -> wire.AskedNow:
    asked = await asker.attendance.ask_now(
        command.specialty, command.text, command.cid, not_patient=command.not_patient
    )
    return wire.AskedNow(
        ref=command.ref,
        room=asked.room,
        reached=asked.reached,
        duplicate=True if asked.duplicate else msgspec.UNSET,
    )


async def _looking(asker: Asker, command: wire.Looking) -> wire.Noted:
    await asker.lounge.looking.turn(asker.attendance.seat(command.room), command.on)
    return wire.Noted(ref=command.ref)


async def _poll(asker: Asker, command: wire.Poll) -> wire.Changed:
    new = NewPoll(
        question=command.question,
        choices=tuple(command.choices),
        multiple=command.multiple,
        final=command.final,
        shown=command.shown,
        minutes=command.closes_in,
        not_patient=command.not_patient,
    )
    seat = asker.attendance.seat(command.room)
    outcome = await asker.lounge.polls.open(seat, new, command.face, command.cid)
    return _changed(command, outcome)


async def _vote(asker: Asker, command: wire.Vote) -> wire.Votes:
    seat = asker.attendance.seat(command.room)
    choices = tuple(command.choices)
    return _votes(command, await asker.lounge.polls.vote(seat, command.seq, choices, command.cid))


async def _tally(asker: Asker, command: wire.Tally) -> wire.Votes:
    seat = asker.attendance.seat(command.room)
    return _votes(command, await asker.lounge.polls.tally(seat, command.seq))


async def _poll_close(asker: Asker, command: wire.PollClose) -> wire.Changed:
    seat = asker.attendance.seat(command.room)
    return _changed(command, await asker.lounge.polls.close(seat, command.seq, command.cid))


async def _decide(asker: Asker, command: wire.Decide) -> wire.Changed:
    seat = asker.attendance.seat(command.room)
    outcome = await asker.lounge.closing.decide(
        seat, command.did, command.helped, command.cid, not_patient=command.not_patient
    )
    return _changed(command, outcome)


async def _outcome(asker: Asker, command: wire.Outcome) -> wire.Concluded:
    seat, closing = asker.attendance.seat(command.room), asker.lounge.closing
    if command.dismiss:
        outcome = await closing.dismiss(seat, command.cid)
    else:
        outcome = await closing.outcome(
            seat, command.text or "", command.cid, not_patient=command.not_patient
        )
    seq = outcome.placed[0].seq if outcome.placed else msgspec.UNSET
    return wire.Concluded(ref=command.ref, seq=seq, duplicate=_duplicate(outcome))


async def _receipt(asker: Asker, command: wire.Receipt) -> wire.ReceiptAsked:
    seat = asker.attendance.seat(command.room)
    ready = await asker.lounge.receipts.ask(seat, command.seq, command.cid)
    return wire.ReceiptAsked(ref=command.ref, ready=ready)


async def _page(asker: Asker, command: wire.Page) -> wire.Paged:
    asked = Paging(
        command.role,
        command.urgency,
        command.text,
        command.formal,
        command.override,
        command.not_patient,
    )
    sent = await asker.attendance.page(asked, command.cid)
    page = sent.page
    return wire.Paged(
        ref=command.ref,
        room=page.slug,
        phase=page.phase,  # type: ignore[arg-type]
        until=_time(page.until),
        number=page.number or msgspec.UNSET,
        next=_time(sent.next),
        duplicate=True if sent.duplicate else msgspec.UNSET,
    )


async def _page_answer(asker: Asker, command: wire.PageAnswer) -> wire.Done:
    outcome = await asker.attendance.answer_page(
        command.room, command.accept, command.formal, command.reason, command.cid
    )
    return wire.Done(ref=command.ref, duplicate=_duplicate(outcome))


async def _page_mark(asker: Asker, command: wire.PageMark) -> wire.Noted:
    await asker.attendance.mark_page(command.room, command.mark)
    return wire.Noted(ref=command.ref)


async def _page_end(asker: Asker, command: wire.PageEnd) -> wire.Changed:
    return _changed(command, await asker.attendance.end_page(command.room, command.cid))


async def _appeal(asker: Asker, command: wire.Appeal) -> wire.Done:
    outcome = await asker.attendance.appeal(
        command.room,
        command.seq,
        command.text,
        command.cid,
        not_patient=command.not_patient,
    )
    return wire.Done(ref=command.ref, duplicate=_duplicate(outcome))


async def _moderate(asker: Asker, command: wire.Moderate) -> wire.Moderated:
    fields = msgspec.structs.asdict(command)
    del fields["ref"]
    outcome = await asker.attendance.moderate(Asked(**fields))
    seq = outcome.placed[0].seq if outcome.placed else msgspec.UNSET
    return wire.Moderated(ref=command.ref, seq=seq, duplicate=_duplicate(outcome))


async def _examine(asker: Asker, command: wire.Examine) -> wire.Examined:
    verdict = asker.attendance.examine(command.text)
    spans = [wire.held(span, asker.language) for span in verdict.spans]
    return wire.Examined(ref=command.ref, spans=spans, names_checked=verdict.names_checked)


async def _ping(_: Asker, command: wire.Ping) -> wire.Pong:
    return wire.Pong(ref=command.ref, at=wire.now())


def _time(at: int | None) -> Any:
    return msgspec.UNSET if at is None else rfc3339(at)


def _duplicate(outcome: Outcome) -> Any:
    return True if outcome.duplicate else msgspec.UNSET


def _changed(command: wire.Command, outcome: Outcome) -> wire.Changed:
    return wire.Changed(ref=command.ref, seq=outcome.placed[0].seq, duplicate=_duplicate(outcome))


def _votes(command: wire.Vote | wire.Tally, tally: Tally) -> wire.Votes:
    return wire.Votes(
        ref=command.ref,
        votes=tally.votes,
        own=msgspec.UNSET if tally.own is None else list(tally.own),
        counts=msgspec.UNSET if tally.counts is None else list(tally.counts),
        duplicate=True if tally.duplicate else msgspec.UNSET,
    )


_HANDLERS: dict[type[wire.Command], Callable[[Asker, Any], Awaitable[wire.Reply]]] = {
    wire.Say: _say,
    wire.Edit: _edit,
    wire.Redact: _redact,
    wire.React: _react,
    wire.Report: _report,
    wire.Ack: _ack,
    wire.History: _history,
    wire.Read: _read,
    wire.Search: _search,
    wire.Face: _face,
    wire.Preview: _preview,
    wire.Retire: _retire,
    wire.Ignore: _ignore,
    wire.Reveal: _reveal,
    wire.Talk: _talk,
    wire.TalkAnswer: _talk_answer,
    wire.TalkEnd: _talk_end,
    wire.Seen: _seen,
    wire.Writing: _writing,
    wire.Signals: _signals,
    wire.Consult: _consult,
    wire.AskNow: _ask_now,
    wire.Looking: _looking,
    wire.Decide: _decide,
    wire.Outcome: _outcome,
    wire.Receipt: _receipt,
    wire.Opine: _opine,
    wire.Unopine: _unopine,
    wire.Opinions: _opinions,
    wire.Unseal: _unseal,
    wire.Merge: _merge,
    wire.Poll: _poll,
    wire.Vote: _vote,
    wire.Tally: _tally,
    wire.PollClose: _poll_close,
    wire.Page: _page,
    wire.PageAnswer: _page_answer,
    wire.PageMark: _page_mark,
    wire.PageEnd: _page_end,
    wire.Moderate: _moderate,
    wire.Appeal: _appeal,
    wire.Examine: _examine,
    wire.Ping: _ping,
}
