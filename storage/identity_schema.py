"""The identity store: who the doctors are and how they prove it. Never a room or an entry.

What a doctor keeps for herself lies here sealed. Times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

IDENTITY = MetaData()


def _of_doctor(*, primary_key: bool = False) -> Column[str]:
    owner = ForeignKey("doctor.id", ondelete="CASCADE")
    return Column("doctor", Text, owner, primary_key=primary_key, nullable=False)


doctor = Table(
    "doctor",
    IDENTITY,
    Column("id", Text, primary_key=True),  # random
    Column("email", Text, nullable=False, unique=True),  # lower case
    Column("name", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("region", Text),
    Column("specialty", Text, nullable=False),
    Column("grade", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("roles", Text, nullable=False),  # words between spaces
    Column("password", Text),  # argon2id; empty until the one-time code is used
    Column("verified_at", BigInteger),  # set exactly while `state` is "verified"
    Column("created", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default="applied"),
    Column("reason", Text),  # a code: why she stands so
    Column("valid_until", BigInteger),  # when she is examined again
    Column("body", Text),  # who licenses her, such as "gb.gmc"
    Column("licence", Text),
    Column("licence_mark", LargeBinary),  # keyed hash: one licence, one account
    Column("email_confirmed", BigInteger),
    Column("accepted", BigInteger),  # the screens before the first room
    Column("accepted_texts", Integer),  # which version of them
    Column("held", BigInteger),  # nothing of hers is erased meanwhile
    Column("left", BigInteger),  # she has left, and erasing waits for its turn
    Column("screen_name", Text),  # as she writes it; what it looks like is in `screen_name`
    Index("doctor_by_licence_mark", "licence_mark", unique=True),
    Index("doctor_by_valid_until", "valid_until"),
    sqlite_with_rowid=False,
)

screen_name = Table(  # what every screen name ever taken looks like: none is given twice
    "screen_name",
    IDENTITY,
    Column("skeleton", Text, primary_key=True),
    Column("doctor", Text, ForeignKey("doctor.id", ondelete="SET NULL")),
    Index("screen_name_by_doctor", "doctor"),
    sqlite_with_rowid=False,
)

mark = Table(  # licences that open no account again: it outlives the doctor's leaving
    "mark",
    IDENTITY,
    Column("mark", LargeBinary, primary_key=True),  # as `doctor.licence_mark`
    Column("reason", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

application = Table(  # not yet confirmed by e-mail: nobody so far
    "application",
    IDENTITY,
    Column("secret", LargeBinary, primary_key=True),  # SHA-256 of what the browser's cookie holds
    Column("code", LargeBinary, nullable=False),  # keyed hash of the code in the letter
    Column("sealed", LargeBinary, nullable=False),
    Column("expires", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

finding = Table(  # what each source said last
    "finding",
    IDENTITY,
    _of_doctor(primary_key=True),
    Column("source", Text, primary_key=True),
    Column("family", Text, nullable=False),
    Column("covers", Text, nullable=False),  # words between spaces
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("strong", Boolean, nullable=False),
    Column("valid_until", BigInteger),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

document = Table(  # for a registrar's eyes, until she has decided
    "document",
    IDENTITY,
    _of_doctor(primary_key=True),
    Column("name", Text, primary_key=True),
    Column("media", Text, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

voucher = Table(  # `by` says that whoever has this e-mail is who she says
    "voucher",
    IDENTITY,
    Column("whom", LargeBinary, primary_key=True),  # keyed hash of the e-mail
    Column("by", Text, ForeignKey("doctor.id", ondelete="CASCADE"), primary_key=True),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

invitation = Table(  # the e-mails of the house's own list
    "invitation",
    IDENTITY,
    Column("email", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

mail = Table(  # letters by e-mail that wait, sealed
    "mail",
    IDENTITY,
    Column("id", LargeBinary, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    sqlite_with_rowid=False,
)

session = Table(
    "session",
    IDENTITY,
    Column("id", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False, unique=True),  # SHA-256 of what the cookie holds
    _of_doctor(),
    Column("label", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),  # to the minute
    Column("expires", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("kind", Text, nullable=False, server_default="plain"),  # plain, shared or own
    Column("device", LargeBinary),  # SHA-256 of the device's own cookie, for kind own
    Column("fresh", BigInteger),  # when she last proved who she is
    Index("session_by_doctor", "doctor"),
    sqlite_with_rowid=False,
)

token = Table(
    "token",
    IDENTITY,
    Column("id", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False, unique=True),  # SHA-256 of the bearer token
    _of_doctor(),
    Column("label", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("used", BigInteger),  # to the minute
    Column("ended", BigInteger),
    Index("token_by_doctor", "doctor"),
    sqlite_with_rowid=False,
)

code = Table(  # one-time codes to set a password
    "code",
    IDENTITY,
    Column("secret", LargeBinary, primary_key=True),  # SHA-256
    _of_doctor(),
    Column("expires", BigInteger, nullable=False),
    Column("used", BigInteger),
    Index("code_by_doctor", "doctor"),
    sqlite_with_rowid=False,
)

attempt = Table(  # sign-ins tried in a window of time, by a keyed hash of account or address
    "attempt",
    IDENTITY,
    Column("key", LargeBinary, primary_key=True),
    Column("window", BigInteger, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
    Index("attempt_by_window", "window"),
    sqlite_with_rowid=False,
)

passkey = Table(
    "passkey",
    IDENTITY,
    Column("id", Text, primary_key=True),
    _of_doctor(),
    Column("credential", LargeBinary, nullable=False, unique=True),
    Column("public", LargeBinary, nullable=False),  # the public key, COSE
    Column("count", BigInteger, nullable=False),  # what the authenticator counts, or 0 for ever
    Column("label", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("used", BigInteger),
    Column("stopped", BigInteger),  # its count went back: there may be a copy
    Index("passkey_by_doctor", "doctor"),
    sqlite_with_rowid=False,
)

challenge = Table(  # what an authenticator was asked to sign; each is taken out once
    "challenge",
    IDENTITY,
    Column("digest", LargeBinary, primary_key=True),  # SHA-256
    Column("purpose", Text, nullable=False),
    Column("doctor", Text, ForeignKey("doctor.id", ondelete="CASCADE")),  # none at sign-in
    Column("expires", BigInteger, nullable=False),
    Index("challenge_by_expiry", "expires"),
    sqlite_with_rowid=False,
)

totp = Table(
    "totp",
    IDENTITY,
    _of_doctor(primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("confirmed", BigInteger),  # counts only from then on
    Column("step", BigInteger, nullable=False),  # the last one used: none at or before it is good
    sqlite_with_rowid=False,
)

recovery_code = Table(
    "recovery_code",
    IDENTITY,
    Column("digest", LargeBinary, primary_key=True),  # SHA-256
    _of_doctor(),
    Column("created", BigInteger, nullable=False),
    Column("used", BigInteger),
    Index("recovery_code_by_doctor", "doctor"),
    sqlite_with_rowid=False,
)

half_session = Table(  # the password was right, the second step is still to come
    "half_session",
    IDENTITY,
    Column("secret", LargeBinary, primary_key=True),  # SHA-256 of what the cookie holds
    _of_doctor(),
    Column("kind", Text, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("half_session_by_expiry", "expires"),
    sqlite_with_rowid=False,
)

belongings = Table(  # own and pinned rooms, read marks, faces: sealed
    "belongings",
    IDENTITY,
    _of_doctor(primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("updated", BigInteger, nullable=False),  # to the day
    sqlite_with_rowid=False,
)

me = Table(  # each doctor's private log, as a room: seq 1, 2, 3...
    "me",
    IDENTITY,
    _of_doctor(primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
    Column("oldest", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

me_entry = Table(
    "me_entry",
    IDENTITY,
    _of_doctor(primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("letter", LargeBinary, nullable=False, unique=True),  # so that none is carried twice
    Column("sealed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

role = Table(  # what is paged: a role of a named service, and the rule of who has it when
    "role",
    IDENTITY,
    Column("id", Text, primary_key=True),  # random
    Column("service", Text, nullable=False),  # "Neurology, Thunder Bay Regional"
    Column("name", Text, nullable=False),  # "Neurologist on call"
    Column("specialty", Text, nullable=False),
    Column("zone", Text, nullable=False),  # IANA
    Column("number", Text, nullable=False),  # to call when nobody answers
    Column("keeper", Text, ForeignKey("doctor.id", ondelete="SET NULL")),  # null: she has left
    Column("rule", Text),  # who may page it; null: every verified doctor
    Column("body", Text, nullable=False),  # JSON: layers, escalation, night
    Column("version", Integer, nullable=False),  # rises with each change of the row
    Column("closed", BigInteger),
    sqlite_with_rowid=False,
)

role_member = Table(  # who may be on its rota, by her own word
    "role_member",
    IDENTITY,
    Column("role", Text, ForeignKey("role.id", ondelete="CASCADE"), primary_key=True),
    _of_doctor(primary_key=True),
    Column("since", BigInteger),  # null: asked, and has not answered
    Column("told", Text),  # the layer that she was told she has just now; null: none
    sqlite_with_rowid=False,
)

shift_change = Table(  # where the rota does not hold: overrides, swaps, vacation
    "shift_change",
    IDENTITY,
    Column("id", Text, primary_key=True),
    Column("role", Text, ForeignKey("role.id", ondelete="CASCADE"), nullable=False),
    Column("layer", Text),  # null: of every layer (vacation)
    Column("kind", Text, nullable=False),  # override, swap, vacation, until
    Column("starts", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Column("doctor", Text, ForeignKey("doctor.id", ondelete="CASCADE")),  # who is on instead
    Column("instead_of", Text, ForeignKey("doctor.id", ondelete="CASCADE")),
    Column("state", Text, nullable=False),  # asked, agreed, declined, withdrawn
    Column("made", BigInteger, nullable=False),
    Column("by", Text, ForeignKey("doctor.id", ondelete="SET NULL")),  # whose wish it was
    Index("shift_change_by_role", "role", "ends"),
    Index("shift_change_by_doctor", "doctor"),
    Index("shift_change_by_instead_of", "instead_of"),
    sqlite_with_rowid=False,
)

feed = Table(  # what a calendar program reads one's own shifts with
    "feed",
    IDENTITY,
    _of_doctor(primary_key=True),
    Column("secret", LargeBinary, nullable=False, unique=True),  # SHA-256 of the password
    Column("made", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

available = Table(  # who would be asked now, until when
    "available",
    IDENTITY,
    _of_doctor(primary_key=True),
    Column("until", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

reach = Table(  # how a doctor is alerted: an open page, a push subscription, a number
    "reach",
    IDENTITY,
    Column("id", Text, primary_key=True),  # random
    _of_doctor(),
    Column("kind", Text, nullable=False),  # open, push, mail, sms, voice
    Column("mark", LargeBinary, nullable=False),  # keyed hash of the address: none twice
    Column("sealed", LargeBinary, nullable=False),  # the address and what else is needed
    Column("trial", LargeBinary),  # SHA-256 of the code that a test alert carries
    Column("tried", BigInteger),  # when it was sent
    Column("confirmed", BigInteger),  # when its owner said that the test arrived
    Column("failed", BigInteger),  # since when nothing gets through
    Column("used", BigInteger),  # when something last did
    Index("reach_by_doctor", "doctor", "mark", unique=True),
    sqlite_with_rowid=False,
)

alert = Table(  # alerts that wait for their gateway; taken with a lease, each sent once
    "alert",
    IDENTITY,
    Column("id", Text, primary_key=True),  # also its name to gateways
    _of_doctor(),
    Column("reach", Text, ForeignKey("reach.id", ondelete="CASCADE"), nullable=False),
    Column("subject", LargeBinary, nullable=False),  # keyed hash of the page: to cancel all of it
    Column("sealed", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("leased", BigInteger, nullable=False, server_default="0"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("sent", BigInteger),  # kept until the page is over, so that it can be called off
    Index("alert_by_time", "sent", "at"),
    Index("alert_by_subject", "doctor", "subject"),
    Index("alert_by_reach", "reach"),
    sqlite_with_rowid=False,
)

interruption = Table(  # what a doctor was alerted to in the last day: a count, no page
    "interruption",
    IDENTITY,
    _of_doctor(primary_key=True),
    Column("id", LargeBinary, primary_key=True),  # of the letter that brought it
    Column("at", BigInteger, nullable=False),
    Column("urgency", Text, nullable=False),
    sqlite_with_rowid=False,
)

revocation = Table(  # one row, raised by whatever ends a session or token or changes a doctor
    "revocation",
    IDENTITY,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)

fact = Table(  # about the store itself: which key it is for, that it is a demonstration
    "fact",
    IDENTITY,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

register_snapshot = Table(  # one import of one register; of each register one is current
    "register_snapshot",
    IDENTITY,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("register", Text, nullable=False),  # a licensing body's id
    Column("state", Text, nullable=False),  # filling, current, old
    Column("runs", Integer, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("began", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),  # when its import last wrote
)

register_entry = Table(  # sorted runs, so that millions of rows are only ever appended
    "register_entry",
    IDENTITY,
    Column("snapshot", Integer, primary_key=True, autoincrement=False),
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("number", Text, primary_key=True),
    Column("names", Text),  # folded, for comparing only
    Column("status", Text),  # empty: in good standing
    Column("until", BigInteger),
    sqlite_with_rowid=False,
)

oidc_link = Table(  # whom another house signs in here; `subject` is a keyed hash
    "oidc_link",
    IDENTITY,
    Column("provider", Text, primary_key=True),
    Column("subject", LargeBinary, primary_key=True),
    Column("doctor", Text, ForeignKey("doctor.id", ondelete="CASCADE"), nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # what it said of her, and its refresh token
    Column("confirmed", BigInteger, nullable=False),
    Index("oidc_link_by_doctor", "doctor", "provider", unique=True),
    sqlite_with_rowid=False,
)

officer = Table(  # the two to whom authors are sealed: 1 opens last, 2 first
    "officer",
    IDENTITY,
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column(
        "doctor", Text, ForeignKey("doctor.id", ondelete="RESTRICT"), nullable=False, unique=True
    ),
    Column("public_key", LargeBinary, nullable=False, unique=True),
    Column("since", BigInteger, nullable=False),
)

identity_audit = Table(  # acts on accounts: each row's hash covers the one before
    "identity_audit",
    IDENTITY,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("act", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("about", Text),
    Column("detail", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

duty = Table(  # moderators who are told of urgent reports
    "duty",
    IDENTITY,
    _of_doctor(primary_key=True),
    Column("until", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
