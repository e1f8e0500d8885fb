"""What this deployment asks of doctors: the preset, and the file that names its sources."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lounge.credentials.presets import DAY_MS, PRESETS, Preset
from lounge.settings import Settings

_DOMAIN = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)+")
_KNOWN = {"recheck_days", "institutions", "nppes", "oidc"}


class VerificationFileError(Exception):
    """LOUNGE_VERIFICATION_FILE says something that cannot be followed; said to the operator."""


@dataclass(frozen=True, slots=True)
class Verification:
    """`institutions`: domains of e-mail; one that begins with a dot takes all below it.

    `nppes`: ask NPPES over the network. `oidc`: the tables as they stand, for `lounge.credentials.oidc`.
    """

    preset: Preset
    institutions: frozenset[str] = frozenset()
    nppes: bool = False
    oidc: Sequence[Mapping[str, object]] = ()


def read_verification(settings: Settings) -> Verification:
    """Raises VerificationFileError."""
    preset = PRESETS[settings.verification]
    if settings.verification_file is None:
        return Verification(preset)
    return _read(settings.verification_file, preset)


def _read(path: Path, preset: Preset) -> Verification:
    content = _content(path)
    if unknown := sorted(set(content) - _KNOWN):
        raise VerificationFileError(f"{path}: {unknown[0]!r} is not known: expected {_listed()}")
    return Verification(
        preset=replace(preset, recheck_ms=_days(path, content, preset.recheck_ms)),
        institutions=_institutions(path, content.get("institutions", [])),
        nppes=content.get("nppes") is True,
        oidc=_tables(path, content.get("oidc", [])),
    )


def _content(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise VerificationFileError(f"{path}: it cannot be read: {error}") from error


def _days(path: Path, content: Mapping[str, object], default_ms: int) -> int:
    days = content.get("recheck_days", default_ms // DAY_MS)
    if not isinstance(days, int) or days < 1:
        raise VerificationFileError(f"{path}: recheck_days must be a whole number of at least 1")
    return days * DAY_MS


def _institutions(path: Path, domains: object) -> frozenset[str]:
    named = domains if isinstance(domains, list) else [domains]
    for domain in named:
        if not isinstance(domain, str) or not _DOMAIN.fullmatch(domain):
            raise VerificationFileError(
                f'{path}: institutions must be domains such as "hospital.example", not {domain!r}'
            )
    return frozenset(named)


def _tables(path: Path, tables: object) -> tuple[Mapping[str, object], ...]:
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise VerificationFileError(f"{path}: OIDC providers stand in tables named [[oidc]]")
    return tuple(tables)


def _listed() -> str:
    return ", ".join(sorted(_KNOWN))
