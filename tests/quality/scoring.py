"""What the guard found of what it should have: recall and false marks, per kind and half."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lounge.guard import Span, examine
from tests.quality.sentences import CLEAN, HALVES, Sentence

STRUCTURED = "structured"
_APART = frozenset(("name", "name alone", "initials", "place", CLEAN))


@dataclass(slots=True)
class Score:
    """Of one kind in one half: stretches told and found, sentences, and those with a false mark."""

    kind: str
    half: str
    told: int = 0
    found: int = 0
    hard: int = 0
    sentences: int = 0
    false: int = 0
    missed: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.found / self.told if self.told else 1.0

    @property
    def false_rate(self) -> float:
        return self.false / self.sentences if self.sentences else 0.0


def scored(made: Iterable[Sentence]) -> list[Score]:
    """A score for each kind and half, in the order they come, then one of all that is structured."""
    scores: dict[tuple[str, str], Score] = {}
    for sentence in made:
        key = sentence.kind, sentence.half
        _add(scores.setdefault(key, Score(*key)), sentence)
    return [*scores.values(), *(_together(scores.values(), half) for half in HALVES)]


def _add(score: Score, sentence: Sentence) -> None:
    spans = examine(sentence.text).spans
    score.sentences += 1
    for start, end in sentence.told:
        over = [span for span in spans if span.start < end and start < span.end]
        covered = sum(min(end, span.end) - max(start, span.start) for span in over)
        score.told += 1
        if 2 * covered >= end - start:
            score.found += 1
            score.hard += any(span.level == "hard" for span in over)
        else:
            score.missed.append(f"  missed {sentence.text[start:end]!r}: {sentence.text}")
    false = [span for span in spans if not _is_told(span, sentence)]
    if false:
        score.false += 1
        marks = [f"{span.kind} {sentence.text[span.start : span.end]!r}" for span in false]
        score.missed.append(f"  false {', '.join(marks)}: {sentence.text}")


def _is_told(span: Span, sentence: Sentence) -> bool:
    return any(span.start < end and start < span.end for start, end in sentence.told)


def _together(scores: Iterable[Score], half: str) -> Score:
    whole = Score(STRUCTURED, half)
    for score in scores:
        if score.kind not in _APART and score.half == half:
            whole.told += score.told
            whole.found += score.found
            whole.hard += score.hard
            whole.sentences += score.sentences
            whole.false += score.false
    return whole


def print_table(language: str, count: int, scores: list[Score]) -> None:
    """A row for each kind: recall, how much of it is hard, and sentences with a false mark."""
    print(f"\n{language}: {count:,} sentences made by lot; recall, hard among found, false marks")
    print(f"{'':16}" + "".join(f"{half:>34}" for half in HALVES))
    for kind in dict.fromkeys(score.kind for score in scores):
        halves = {score.half: score for score in scores if score.kind == kind}
        print(f"{kind:16}" + "".join(f"{_cell(halves[half]):>34}" for half in HALVES))


def _cell(score: Score) -> str:
    false = f"{score.false}/{score.sentences} ({score.false_rate:.1%})"
    if not score.told:
        return false
    hard = score.hard / max(1, score.found)
    return f"{score.found}/{score.told} {score.recall:.1%} {hard:4.0%} {false}"
