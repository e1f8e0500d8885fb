"""The lounge store: rooms, entries, personas and what belongs to them. Never a doctor.

Nothing here holds an e-mail, a licence or a doctor's id, a name only where its doctor chose to show it,
and no two personas of one doctor share a value but that name. Times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
    text,
)

LOUNGE = MetaData()

gate = Table(
    "gate",
    LOUNGE,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("key_check", LargeBinary, nullable=True),  # tells a wrong persona key file at start
)

WAIVED_SQLITE = "instr(body, x'22776169766564223a') > 0"
WAIVED_POSTGRESQL = "position(decode('22776169766564223a', 'hex') in body) > 0"
"""The body has the member "waived": its author said of it that this is not a patient."""

room = Table(
    "room",
    LOUNGE,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("last_seq", BigInteger, nullable=False, default=0),
    Column("oldest", BigInteger, nullable=False, default=1),
    Column("says", BigInteger, nullable=False, default=0),
    Column(
        "slow", Integer, nullable=False, server_default="0"
    ),  # seconds between one doctor's says
    Column("frozen", Boolean, nullable=False, server_default=false()),  # reading only
    Column("moded", BigInteger),  # seq of the entry that last told of either, or of a pin
    Index(
        "room_moded",
        "id",
        sqlite_where=text("moded IS NOT NULL"),
        postgresql_where=text("moded IS NOT NULL"),
    ),
    postgresql_with={"fillfactor": 50},
)

entry = Table(
    "entry",
    LOUNGE,
    Column("room_id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("persona", LargeBinary),  # whose words; computed from the doctor, never joined to one
    Column("target", BigInteger),  # the entry that this one answers, edits, redacts or reacts to
    Column("says", BigInteger, nullable=False),  # says in the room up to and with this entry
    Column("edited", BigInteger),  # seq of the last edit of this say
    Column("redacted", BigInteger),  # seq of the redaction; body and salt are gone
    Column("withdrawn", BigInteger),  # in a consult: seq of its author's withdrawal; the words stay
    Column(
        "hidden", BigInteger
    ),  # seq of the `mod.hide` in force: the words stay, and are served to nobody
    Column("caution", BigInteger),  # seq of the last `mod.caution` about it
    Column("salt", LargeBinary),
    Column("digest", LargeBinary, nullable=False),  # sha-256 over salt, place and body
    Column("body", LargeBinary),  # JSON of what the kind carries
    Index("entry_by_target", "room_id", "target"),
    Index(
        "entry_waived",
        "at",
        sqlite_where=text(WAIVED_SQLITE),
        postgresql_where=text(WAIVED_POSTGRESQL),
    ),
    sqlite_with_rowid=False,
)

receipt = (
    Table(  # what a client id was answered; keyed by a hash that needs the client id to compute
        "receipt",
        LOUNGE,
        Column("dedup", LargeBinary, primary_key=True),
        Column("fingerprint", LargeBinary, nullable=False),
        Column("room_id", Integer, nullable=False),
        Column("seq", BigInteger),
        sqlite_with_rowid=False,
    )
)

_made_up = text("face = 'anonymous'")
persona = Table(  # written with the first say, without serial or time
    "persona",
    LOUNGE,
    Column("id", LargeBinary, primary_key=True),
    Column("face", Text, nullable=False),
    Column("badge", Text, nullable=False),  # JSON; fixed at the first say, later only coarser
    Column("sealed", LargeBinary),  # the doctor, sealed to two officers; empty without officers
    Column("room_id", Integer),
    Column("name", Text),  # made up; or the one that its doctor chose to show here
    Column("exact", Boolean, nullable=False, server_default=false()),  # shown whole on purpose
    Index(
        "persona_name",
        "room_id",
        "name",
        unique=True,
        sqlite_where=_made_up,
        postgresql_where=_made_up,
    ),
    sqlite_with_rowid=False,
)

offer = Table(  # one persona would tell another her real name: a hash that needs both, and a key
    "offer",
    LOUNGE,
    Column("id", LargeBinary, primary_key=True),
    Column("until", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

reaction = Table(
    "reaction",
    LOUNGE,
    Column("room_id", Integer, primary_key=True, autoincrement=False),
    Column("target", BigInteger, primary_key=True, autoincrement=False),
    Column("emoji", Text, primary_key=True),
    Column("persona", LargeBinary, primary_key=True),
    Column("seq", BigInteger, nullable=False),  # the entry that last changed it
    Column("on", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

report = Table(
    "report",
    LOUNGE,
    Column("id", Text, primary_key=True),
    Column("room_id", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("note", Text),
    Column("persona", LargeBinary, nullable=False),  # the reporter, as known in that room only
    Column("weight", Integer, nullable=False, server_default="1"),  # 0 to 2: how right she has been
    Column("at", BigInteger, nullable=False),
    Column("claim", LargeBinary),  # keyed hash of report and moderator: whose turn it is
    Column("claimed_until", BigInteger),
    Column("outcome", Text),  # null while open
    Column("closed", BigInteger),
    Index("report_open", "outcome", "at"),
    Index("report_by_entry", "room_id", "seq"),
)

report_note = Table(  # what moderators wrote to each other about a report
    "report_note",
    LOUNGE,
    Column("id", Text, primary_key=True),
    Column("report", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("report_note_by_report", "report", "at"),
)

evidence = Table(  # what a reported entry said, sealed, until the report is closed
    "evidence",
    LOUNGE,
    Column("report", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

hand = (
    Table(  # whose hand an act of moderation was: tested with the moderator in hand, never read off
        "hand",
        LOUNGE,
        Column("act", Text, primary_key=True),  # "room seq" of its entry, or a sanction's id
        Column("salt", LargeBinary, nullable=False),
        Column("mark", LargeBinary, nullable=False),  # keyed hash of salt and doctor
        sqlite_with_rowid=False,
    )
)

appeal = Table(  # an author asks another moderator to look again
    "appeal",
    LOUNGE,
    Column("id", Text, primary_key=True),
    Column("act", Text, nullable=False, unique=True),  # as `hand.act`
    Column("room_id", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),  # the entry it is about
    Column("text", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("claim", LargeBinary),
    Column("claimed_until", BigInteger),
    Column("outcome", Text),  # null while open; upheld, lifted
    Column("closed", BigInteger),
    Index("appeal_open", "outcome", "at"),
)

pin = Table(
    "pin",
    LOUNGE,
    Column("room_id", Integer, primary_key=True, autoincrement=False),
    Column("target", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),  # the entry that put it there
    sqlite_with_rowid=False,
)

rule = Table(  # looked at before a text is posted
    "rule",
    LOUNGE,
    Column("id", Text, primary_key=True),
    Column("body", Text, nullable=False),  # JSON
    Column("version", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
)

waiting = Table(  # a text that a rule holds until a moderator has looked at it, sealed
    "waiting",
    LOUNGE,
    Column("id", Text, primary_key=True),
    Column("room_id", Integer, nullable=False),
    Column("rule", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("claim", LargeBinary),
    Column("claimed_until", BigInteger),
    Index("waiting_at", "at"),
    sqlite_with_rowid=False,
)

pulse = (
    Table(  # a room's minute, for the board; of each room the last is kept, others for two hours
        "pulse",
        LOUNGE,
        Column("room_id", Integer, primary_key=True, autoincrement=False),
        Column("minute", BigInteger, primary_key=True, autoincrement=False),  # minutes since 1970
        Column("says", BigInteger),  # the room's count at its end
        Column(
            "held", Integer, nullable=False, server_default="0"
        ),  # texts that guard or rules held
        Column("waived", Integer, nullable=False, server_default="0"),  # "this is not a patient"
        Index("pulse_by_minute", "minute"),
        sqlite_with_rowid=False,
    )
)

outbox = Table(  # letters to a doctor's private log, sealed; carried over and dropped by the relay
    "outbox",
    LOUNGE,
    Column("id", LargeBinary, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

talk = Table(  # two personas who met in a room and go on alone; without serial or time
    "talk",
    LOUNGE,
    Column("slug", Text, primary_key=True),  # its room; random to whoever is not told
    Column("origin", Text, nullable=False),  # the room in which both personas are who they are
    Column("asker", LargeBinary, nullable=False),
    Column("asked", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),  # asked, open, declined, withdrawn, closed
    Index("talk_origin", "origin"),
    Index("talk_asker", "asker"),
    Index("talk_asked", "asked"),
    sqlite_with_rowid=False,
)

consult = Table(  # a case and its state; what was written stands in its room's entries
    "consult",
    LOUNGE,
    Column("slug", Text, primary_key=True),  # its room
    Column("room_id", Integer, nullable=False, unique=True),
    Column("author", LargeBinary, nullable=False),  # the persona that opened it
    Column("urgency", Text, nullable=False),  # routine, today, now
    Column("specialties", Text, nullable=False),  # those asked, between spaces
    Column("state", Text, nullable=False),  # open, revealed, decided, outcome
    Column("opened", BigInteger, nullable=False),
    Column("closes", BigInteger),  # when ballots are revealed at the latest
    Column("enough", Integer),  # after how many ballots they are
    Column("told", Integer, nullable=False, server_default="0"),  # opinions as last told to all
    Column("withdrawn", Integer, nullable=False, server_default="0"),  # opinions taken back
    Column("casts", Integer, nullable=False, server_default="0"),  # rises as ballots or pool change
    Column("first", BigInteger),  # seq of the entry that told of the first
    Column("revealed", BigInteger),  # seq of that entry, as the next two
    Column("decided", BigInteger),
    Column("outcome", BigInteger),
    Index("consult_by_state", "state", "opened"),
    sqlite_with_rowid=False,
)

card = Table(  # where a consult is announced: the entry that its updates are about
    "card",
    LOUNGE,
    Column("room_id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("consult", Text, nullable=False),
    Index("card_by_consult", "consult"),
    sqlite_with_rowid=False,
)

poll = Table(  # a question put to a room; the choices stand in its entry
    "poll",
    LOUNGE,
    Column("room_id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),  # of the entry; its ballots are under it
    Column("choices", Integer, nullable=False),
    Column("multiple", Boolean, nullable=False),
    Column("final", Boolean, nullable=False),  # a vote is not changed
    Column("shown", Text, nullable=False),  # voted: to who has; closed: at its end
    Column("closes", BigInteger),
    Column("told", Integer, nullable=False, server_default="0"),  # votes as last told to all
    Column("casts", Integer, nullable=False, server_default="0"),  # how often a ballot was put
    Column("closed", BigInteger),  # seq of that entry
    sqlite_with_rowid=False,
)

ballot = Table(  # outside the log, without time or persona: a seq would show each and its moment
    "ballot",
    LOUNGE,
    Column("key", LargeBinary, primary_key=True),  # keyed hash of doctor and subject
    Column("subject", Text, nullable=False),  # a consult's slug, or a poll's id
    Column("body", LargeBinary, nullable=False),  # JSON
    Column("told", LargeBinary),  # of a poll: the body that counts are shown with by now
    Index("ballot_by_subject", "subject"),
    sqlite_with_rowid=False,
)

look = Table(  # somebody is looking at a consult: a count that lapses
    "look",
    LOUNGE,
    Column("key", LargeBinary, primary_key=True),  # keyed hash of doctor and consult
    Column("consult", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
    Index("look_by_consult", "consult"),
    sqlite_with_rowid=False,
)

consent = Table(  # one side would have a receipt of an entry: a keyed hash of entry and side
    "consent",
    LOUNGE,
    Column("id", LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)

due = Table(  # what is to be done at a time, by any process, once
    "due",
    LOUNGE,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("leased", BigInteger, nullable=False, server_default="0"),  # until when it is somebody's
    Index("due_at", "at"),
    Index("due_by_subject", "subject"),
    sqlite_with_rowid=False,
)

page = Table(  # a page to a role, or a question to whoever is free; the words stand in its room's entries
    "page",
    LOUNGE,
    Column("slug", Text, primary_key=True),  # its room
    Column("room_id", Integer, nullable=False, unique=True),
    Column("kind", Text, nullable=False),  # page, ask
    Column("role", Text, nullable=False),  # the role paged; of an ask, the specialty
    Column("urgency", Text, nullable=False),  # routine, today, now
    Column("asker", LargeBinary, nullable=False),  # personas of its room, as the next
    Column("acceptor", LargeBinary),
    Column("layer", Text),  # which is alerted now; once accepted, in which capacity that was
    Column("state", Text, nullable=False),  # waiting, sent, accepted, closed, unanswered, withdrawn
    Column("version", Integer, nullable=False),  # rises with each change of the row
    Column("formal", Boolean, nullable=False),  # the asker's consent; once accepted, both sides'
    Column("overridden", Boolean, nullable=False),  # a wait or a cap, with a reason
    Column("number", Text),  # to call instead, as it was when it was sent
    Column("policy", Text, nullable=False),  # JSON: the steps, as they were when it was sent
    Column("step", Integer, nullable=False),  # the last that was taken; -1: none yet
    Column("until", BigInteger),  # while it waits
    Column("next", BigInteger),  # when the next step is taken, or the last runs out
    Column("declined", Integer, nullable=False),  # how many have
    Column("acknowledged", Integer, nullable=False),  # in a step in which everyone must
    Column("wanted", Integer),  # of how many; null in any other
    Column("opened", BigInteger, nullable=False),
    Column("sent", BigInteger),
    Column("delivered", BigInteger),
    Column("seen", BigInteger),
    Column("accepted", BigInteger),
    Column("answered", BigInteger),
    Column("closed", BigInteger),  # however it ended
    Column("consult", Text),  # what it was widened into
    Index("page_by_role", "role", "opened"),
    Index("page_by_state", "state", "opened"),
    sqlite_with_rowid=False,
)

alerted = Table(  # whom a page was put to, as known in its room only
    "alerted",
    LOUNGE,
    Column("page", Text, primary_key=True),
    Column("persona", LargeBinary, primary_key=True),
    Column("step", Integer, nullable=False),
    Column("layer", Text),
    Column("at", BigInteger, nullable=False),
    Column("delivered", BigInteger),
    Column("seen", BigInteger),
    Column("accepted", BigInteger),  # where everyone must acknowledge, also those who came second
    Column("declined", BigInteger),
    Column("reason", Text),  # of a refusal: a code
    sqlite_with_rowid=False,
)

sanction = Table(  # whom it is about can only be tested with the doctor in hand, never read off
    "sanction",
    LOUNGE,
    Column("id", Text, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("mark", LargeBinary, nullable=False),  # keyed hash of salt and doctor
    Column("licence", LargeBinary, nullable=False),  # of salt and licence, for who comes back
    Column("kind", Text, nullable=False),
    Column("room", Text),  # null: everywhere
    Column("until", BigInteger),  # null: until it is lifted
    Column("reason", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

unmasking = Table(  # what officers asked to have opened; never what they found
    "unmasking",
    LOUNGE,
    Column("id", Text, primary_key=True),
    Column("room", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("persona", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("approved", BigInteger),
    Column("opened", BigInteger),
)

lounge_audit = Table(  # moderation and unmasking, by role: each row's hash covers the one before
    "lounge_audit",
    LOUNGE,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("act", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("about", Text),
    Column("detail", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
