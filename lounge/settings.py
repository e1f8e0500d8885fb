"""Everything that a deployment may set, read from the environment once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_ORIGINS = ("http://localhost:8000", "http://127.0.0.1:8000")
DEFAULT_PUSH_HOSTS = (
    *("fcm.googleapis.com", "updates.push.services.mozilla.com"),
    *("web.push.apple.com", ".notify.windows.com"),
)
"""Of Chrome, Firefox, Safari and Edge."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A deployment's choices. Every field names its variable; `docs/settings.md` lists them all."""

    data: Path
    """LOUNGE_DATA: folder of the embedded defaults (databases, key files)."""
    database_url: str
    """LOUNGE_DATABASE_URL: the lounge store. Default: SQLite in LOUNGE_DATA."""
    identity_url: str
    """LOUNGE_IDENTITY_URL: the identity store. Default: SQLite in LOUNGE_DATA."""
    redis_url: str | None
    """REDIS_URL: Redis >= 7 or Valkey. Unset: an embedded Valkey on a private socket."""
    secret_file: Path
    """LOUNGE_SECRET_FILE: key of the identity store. Made on first start inside LOUNGE_DATA."""
    persona_secret_file: Path
    """LOUNGE_PERSONA_SECRET_FILE: key of the lounge store. Made on first start inside LOUNGE_DATA."""
    origins: tuple[str, ...]
    """LOUNGE_ORIGINS: comma-separated origins that browsers may come from."""
    rooms_file: Path | None
    """LOUNGE_ROOMS_FILE: TOML file that hides rooms, adds the house's own and sets rules."""
    metrics_token_file: Path | None
    """LOUNGE_METRICS_TOKEN_FILE: file with a token that opens /metrics to other than loopback."""
    trusted_proxies: str
    """LOUNGE_TRUSTED_PROXIES: addresses whose X-Forwarded-* headers are believed. Default: none."""
    verification: str
    """LOUNGE_VERIFICATION: what makes a doctor verified: open, hospital or national. Default: open."""
    verification_file: Path | None
    """LOUNGE_VERIFICATION_FILE: TOML file with the sources that are asked: docs/verification.md."""
    operator: str
    """LOUNGE_OPERATOR: who operates this lounge, as doctors read it before their first room."""
    smtp_url: str | None
    """LOUNGE_SMTP_URL: smtp://user:password@host:port, or smtps://. Unset: letters become files."""
    mail_from: str
    """LOUNGE_MAIL_FROM: the address that letters come from. Default: lounge@localhost."""
    push_hosts: tuple[str, ...]
    """LOUNGE_PUSH_HOSTS: push services that browsers may be alerted through; a leading dot: all below it."""
    gateway_url: str | None
    """LOUNGE_GATEWAY_URL: where text messages and calls are handed over. Unset: there are none."""
    gateway_secret_file: Path | None
    """LOUNGE_GATEWAY_SECRET_FILE: file with the secret that the gateway and the lounge sign with."""
    audit_webhook: str | None
    """LOUNGE_AUDIT_WEBHOOK: where each new head of the audits is handed over. Unset: only to a file."""
    audit_secret_file: Path | None
    """LOUNGE_AUDIT_SECRET_FILE: file with the secret that this is signed with."""
    badge_crowd: int
    """LOUNGE_BADGE_CROWD: how many verified doctors must share a badge before it is shown. Default: 5."""
    newcomer_hours: int
    """LOUNGE_NEWCOMER_HOURS: how long new accounts say little, without links; 0: never. Default: 24."""
    bench: bool
    """LOUNGE_BENCH=1: opens rooms bench/<n> and lifts limits. Loopback only, never by default."""
    demo: bool
    """LOUNGE_DEMO=1, or serve --demo: a made-up cast and one-click sign-in. Loopback only."""

    @property
    def embedded(self) -> bool:
        """True when the lounge store is SQLite: one server process, upgraded by itself."""
        return self.database_url.startswith("sqlite")

    @property
    def synthetic(self) -> bool:
        """True where made-up doctors and their tokens may be created (never in production)."""
        return self.demo or self.bench


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; unset variables take defaults that need nothing installed. Raises ValueError."""
    env = os.environ if environ is None else environ
    data = Path(env.get("LOUNGE_DATA") or "data").absolute()
    return Settings(
        data=data,
        database_url=_database(env, "LOUNGE_DATABASE_URL", f"sqlite:///{data}/lounge.db"),
        identity_url=_database(env, "LOUNGE_IDENTITY_URL", f"sqlite:///{data}/identity.db"),
        redis_url=env.get("REDIS_URL") or None,
        secret_file=_path(env, "LOUNGE_SECRET_FILE") or data / "identity.key",
        persona_secret_file=_path(env, "LOUNGE_PERSONA_SECRET_FILE") or data / "persona.key",
        origins=tuple(_listed(env.get("LOUNGE_ORIGINS"))) or DEFAULT_ORIGINS,
        rooms_file=_path(env, "LOUNGE_ROOMS_FILE"),
        metrics_token_file=_path(env, "LOUNGE_METRICS_TOKEN_FILE"),
        trusted_proxies=env.get("LOUNGE_TRUSTED_PROXIES") or "",
        verification=_one_of(env, "LOUNGE_VERIFICATION", ("open", "hospital", "national")),
        verification_file=_path(env, "LOUNGE_VERIFICATION_FILE"),
        operator=env.get("LOUNGE_OPERATOR") or "",
        smtp_url=_smtp(env, "LOUNGE_SMTP_URL"),
        mail_from=env.get("LOUNGE_MAIL_FROM") or "lounge@localhost",
        push_hosts=tuple(_listed(env.get("LOUNGE_PUSH_HOSTS"))) or DEFAULT_PUSH_HOSTS,
        gateway_url=_webhook(env, "LOUNGE_GATEWAY_URL", "LOUNGE_GATEWAY_SECRET_FILE"),
        gateway_secret_file=_path(env, "LOUNGE_GATEWAY_SECRET_FILE"),
        audit_webhook=_webhook(env, "LOUNGE_AUDIT_WEBHOOK", "LOUNGE_AUDIT_SECRET_FILE"),
        audit_secret_file=_path(env, "LOUNGE_AUDIT_SECRET_FILE"),
        badge_crowd=_count(env, "LOUNGE_BADGE_CROWD", 5),
        newcomer_hours=_count(env, "LOUNGE_NEWCOMER_HOURS", 24, least=0),
        bench=env.get("LOUNGE_BENCH") == "1",
        demo=env.get("LOUNGE_DEMO") == "1",
    )


def _path(env: Mapping[str, str], name: str) -> Path | None:
    value = env.get(name)
    return Path(value).absolute() if value else None


def _database(env: Mapping[str, str], name: str, default: str) -> str:
    """The URL with the driver that we use, however the platform spells the scheme."""
    scheme, mark, rest = (env.get(name) or default).partition("://")
    driver = _DRIVERS.get(scheme)
    if not mark or driver is None:
        raise ValueError(f"{name} must begin with postgresql:// or sqlite://, not {scheme!r}")
    return f"{driver}://{rest}"


_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


def _listed(value: str | None) -> list[str]:
    return [part.strip().rstrip("/") for part in (value or "").split(",") if part.strip()]


def _smtp(env: Mapping[str, str], name: str) -> str | None:
    url = env.get(name) or None
    if url is not None and not url.startswith(("smtp://", "smtps://")):
        raise ValueError(f"{name} must begin with smtp:// or smtps://")
    return url


def _webhook(env: Mapping[str, str], name: str, secret: str) -> str | None:
    url = env.get(name) or None
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
        raise ValueError(f"{name} must begin with https://")
    if not env.get(secret):
        raise ValueError(f"{name} needs {secret}")
    return url


def _one_of(env: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    value = env.get(name) or known[0]
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    return value


def _count(env: Mapping[str, str], name: str, default: int, least: int = 1) -> int:
    value = env.get(name) or str(default)
    if not value.isdigit() or int(value) < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return int(value)
