"""The privacy guard: what in a text could lead to a patient or a doctor, before it is stored.

It only points, and says what may stand there instead; it never changes a text.
"""

from __future__ import annotations

from lounge.guard.examining import examine
from lounge.guard.naming import examine_name
from lounge.guard.span import Language, Level, Span, Verdict

__all__ = ["Language", "Level", "Span", "Verdict", "examine", "examine_name"]
