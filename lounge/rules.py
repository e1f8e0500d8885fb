"""Who may enter a room: an expression over a doctor's verified attributes.

The language is that of the rule-engine package (its own grammar and types: nothing is ever
evaluated as Python): `specialty == "cardiology" and country in ["CA", "GB"]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import rule_engine  # type: ignore[import-untyped]

ATTRIBUTES: Final = ("country", "region", "specialty", "group", "grade", "roles")


class Rule:
    """One room's rule, compiled once. Raises ValueError, which says what is wrong with `text`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._compiled = _compile(text)

    def admits(self, attributes: Mapping[str, object]) -> bool:
        """True when a doctor with these attributes may enter; `roles` is a collection of codes.

        An attribute that is absent counts as unknown (null), and others are not looked at. A rule that
        cannot be answered for her is a no.
        """
        import rule_engine

        try:
            return bool(self._compiled.evaluate(_known(attributes)))
        except rule_engine.EngineError:
            return False

    def names_region(self) -> bool:
        """True when the rule looks at `region`, whose codes are each country's own."""
        return "region" in self._compiled.context.symbols


def _compile(text: str) -> rule_engine.Rule:
    import rule_engine  # its grammar takes 0.6 s to build, and most deployments have no rule

    try:
        compiled = rule_engine.Rule(text, context=_context())
        answers = [compiled.evaluate(_known(example)) for example in _EXAMPLES]
    except rule_engine.errors.SymbolResolutionError as error:
        known = ", ".join(ATTRIBUTES)
        raise ValueError(f"no attribute {error.symbol_name!r}; there are {known}") from error
    except rule_engine.EngineError as error:
        raise ValueError(f"it cannot be read: {error}") from error
    if not all(isinstance(answer, bool) for answer in answers):
        raise ValueError("it must be a yes or a no, such as a comparison")
    return compiled


def _context() -> rule_engine.Context:
    import rule_engine

    types = dict.fromkeys(ATTRIBUTES, rule_engine.DataType.STRING)
    types["roles"] = rule_engine.DataType.SET(rule_engine.DataType.STRING)
    return rule_engine.Context(type_resolver=rule_engine.type_resolver_from_dict(types))


def _known(attributes: Mapping[str, object]) -> dict[str, object]:
    known = {name: attributes.get(name) or None for name in ATTRIBUTES}
    roles = attributes.get("roles") or ()
    known["roles"] = set(roles) if isinstance(roles, set | frozenset | tuple | list) else set()
    return known


_EXAMPLES: tuple[Mapping[str, object], ...] = (
    {},
    {**dict.fromkeys(ATTRIBUTES, "-"), "roles": ("-",)},
)
