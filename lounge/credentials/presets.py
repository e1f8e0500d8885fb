"""What is enough to be verified: three presets."""

from __future__ import annotations

from dataclasses import dataclass

DAY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Preset:
    """`several`: two independent sources are enough too, not only a credential that is strong.

    `house_knows`: the house employs its doctors, so its own list and its registrar are strong.
    `recheck_ms`: after how long every verified doctor is examined again, at the latest.
    """

    name: str
    several: bool
    house_knows: bool
    recheck_ms: int = 365 * DAY_MS


OPEN = Preset("open", several=True, house_knows=False)
HOSPITAL = Preset("hospital", several=False, house_knows=True)
NATIONAL = Preset("national", several=False, house_knows=False)
PRESETS = {preset.name: preset for preset in (OPEN, HOSPITAL, NATIONAL)}
