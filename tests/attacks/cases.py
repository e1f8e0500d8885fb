"""From what was found to verdicts: the personas as everybody sees them, and every attack on them."""

from __future__ import annotations

import msgspec

from tests.attacks import alerted, ballots, clues, linking
from tests.attacks.clues import Clues
from tests.attacks.evenings import Evidence
from tests.attacks.linking import Persona, Verdict


async def attacked(evidence: Evidence, found: Clues | None = None) -> list[Verdict]:
    """Every attack on joining two personas or faces, on naming an author, and on whose a ballot is."""
    found = await clues_of(evidence) if found is None else found
    people = personas_of(evidence)
    tried = linking.trials(people, evidence.owner)
    seed = evidence.plan.seed
    elsewhere = {name: beside for name, beside in found.items() if not alerted.tells(name)}
    joined = linking.joined(elsewhere, tried, seed)
    joined += linking.named(elsewhere, people, evidence.owner, evidence.known, seed)
    joined += alerted.attacked(evidence, found, people)
    return joined + ballots.attacked(evidence, found, people)


async def clues_of(evidence: Evidence) -> Clues:
    """From the database, then from its files, then from what one member was sent."""
    personas = {
        *evidence.owner,
        *evidence.alerted,
    }  # and ballots: whatever stands beside one is a clue, too
    found = await clues.of_database(evidence.url, evidence.folder, personas)
    found |= clues.of_files(evidence.folder, personas)
    return found | clues.of_frames(evidence.frames)


def personas_of(evidence: Evidence) -> list[Persona]:
    """As the frames show them; who was shown with two badges has the last.

    On a card stands the persona of the case, which is another room than the card's.
    """
    shown: dict[bytes, Persona] = {}
    for frame in evidence.frames:
        by = frame.get("by", {})
        if "id" in by and frame["kind"] != "consult.card":
            id = clues.persona_of(by["id"])
            badge = msgspec.json.encode(by["badge"]).decode()
            shown[id] = Persona(id, (frame["room"], by["as"]), badge)
    return [each for each in shown.values() if each.id in evidence.owner]
