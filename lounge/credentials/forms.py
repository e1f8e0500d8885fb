"""What somebody says of herself, checked before it is kept."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lounge.credentials.validators import normalised
from lounge.doctors import check, new_id, plain_email
from lounge.errors import Code, Refusal
from storage.applications import Applicant
from storage.identities import NewDoctor


class Form(msgspec.Struct, frozen=True):
    """What somebody says of herself. `password` is a hash once the form is kept."""

    email: str
    name: str
    country: str
    specialty: str
    grade: str
    language: str
    password: str
    region: str | None = None
    body: str | None = None
    licence: str | None = None


def checked(form: Form) -> Form:
    """The form as it is kept. Raises Refusal `invalid`, a wrong check digit among others."""
    form = msgspec.structs.replace(form, email=plain_email(form.email), name=form.name.strip())
    check(new_doctor(form, 0))
    if not (form.body and form.licence):
        return msgspec.structs.replace(form, body=form.body or None, licence=None)
    return msgspec.structs.replace(form, licence=normalised(form.body, form.licence))


def new_doctor(form: Form, now: int) -> NewDoctor:
    return NewDoctor(
        id=new_id(),
        email=form.email,
        name=form.name,
        country=form.country,
        region=form.region,
        specialty=form.specialty,
        grade=form.grade,
        language=form.language,
        roles="doctor",
        verified_at=None,
        created=now,
        accepted=None,
        body=form.body,
        licence=form.licence,
        email_confirmed=now,
        password=form.password,
    )


def amended(who: Applicant, changes: Mapping[str, str]) -> dict[str, object]:
    """The columns to change. Raises Refusal."""
    require_open(who)
    was = {name: getattr(who, name) for name in Form.__struct_fields__ if name != "password"}
    form = checked(Form(**{**was, **changes}, password=""))
    return {name: getattr(form, name) for name in ("body", "licence", *changes)}


def require_open(who: Applicant) -> None:
    """Raises Refusal `forbidden` once nothing more is to be said."""
    if who.state in ("verified", "suspended"):
        raise Refusal(Code.FORBIDDEN, "application.closed")
