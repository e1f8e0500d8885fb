"""What was done with power is written down once, and nobody takes a row of it back unseen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from lounge import audit as auditing
from storage import audit
from storage.audit import Link
from storage.database import StorageError
from storage.identity_schema import identity_audit
from storage.schema import lounge_audit
from tests.stores import Stores

ROWS = 5


async def fill(stores: Stores, rows: int = ROWS) -> None:
    for n in range(1, rows + 1):
        async with stores.lounge.writing() as connection:
            await audit.append_lounge(
                connection,
                "sanction.mute",
                by="moderator",
                about=f"world {n}",
                detail={"n": str(n)},
            )


async def breach(stores: Stores, *anchors: Link) -> tuple[int, str] | None:
    identity, lounge = await auditing.verify(stores.identity, stores.lounge, anchors)
    assert identity.breach is None
    return None if lounge.breach is None else (lounge.breach.seq, lounge.breach.what)


async def head(stores: Stores) -> Link:
    return (await auditing.heads(stores.identity, stores.lounge))[1]


async def alter(stores: Stores, row: int, /, **values: object) -> None:
    async with stores.lounge.writing() as connection:
        await connection.execute(
            update(lounge_audit).where(lounge_audit.c.seq == row).values(**values)
        )


async def drop(stores: Stores, *seqs: int) -> None:
    async with stores.lounge.writing() as connection:
        await connection.execute(delete(lounge_audit).where(lounge_audit.c.seq.in_(seqs)))


async def test_a_chain_that_nobody_touched_holds(stores: Stores) -> None:
    await fill(stores)
    assert await breach(stores) is None
    assert (await head(stores)).seq == ROWS


async def test_two_who_write_at_once_make_one_chain(stores: Stores) -> None:
    async def write(by: str) -> None:
        async with stores.identity.writing() as connection:
            await audit.append(connection, "token.added", by=by, about=by)

    await asyncio.gather(*(write(f"doctor {n}") for n in range(12)))
    identity, _ = await auditing.verify(stores.identity, stores.lounge)
    assert (identity.head.seq, identity.breach) == (12, None)


async def test_an_act_that_fails_leaves_no_row(stores: Stores) -> None:
    async def fails() -> None:
        async with stores.identity.writing() as connection:
            await audit.append(connection, "role.added", by="operator")
            raise TimeoutError

    with pytest.raises(StorageError):
        await fails()
    identity, _ = await auditing.verify(stores.identity, stores.lounge)
    assert identity.head.seq == 0


@pytest.mark.parametrize(
    "values", [{"about": "world 9"}, {"detail": "{}"}, {"at": 0}, {"by": "nobody"}, {"act": "said"}]
)
async def test_an_edited_row_is_named(stores: Stores, values: dict[str, object]) -> None:
    await fill(stores)
    await alter(stores, 3, **values)
    found = await breach(stores)
    assert found
    assert found[0] == 3


async def test_a_long_chain_is_read_page_by_page(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_PAGE", 2)
    await fill(stores)
    assert await breach(stores) is None
    await alter(stores, ROWS, act="said")
    found = await breach(stores)
    assert found
    assert found[0] == ROWS


async def test_a_deleted_row_is_named(stores: Stores) -> None:
    await fill(stores)
    await drop(stores, 2)
    assert await breach(stores) == (2, "missing")


async def test_a_row_deleted_and_the_rest_moved_up_is_named(stores: Stores) -> None:
    await fill(stores)
    await drop(stores, 2)
    for seq in range(3, ROWS + 1):
        await alter(stores, seq, seq=seq - 1)
    found = await breach(stores)
    assert found
    assert found[0] == 2


async def test_two_rows_that_changed_places_are_named(stores: Stores) -> None:
    await fill(stores)
    for seq, place in ((2, 99), (4, 2), (99, 4)):
        await alter(stores, seq, seq=place)
    found = await breach(stores)
    assert found
    assert found[0] == 2


async def test_a_chain_cut_off_holds_by_itself_and_not_beside_its_anchor(stores: Stores) -> None:
    await fill(stores)
    anchor = await head(stores)
    await drop(stores, 4, 5)
    assert await breach(stores) is None
    assert await breach(stores, anchor) == (4, "cut off")


async def test_a_chain_written_anew_does_not_fit_its_anchor(stores: Stores) -> None:
    await fill(stores)
    anchor = await head(stores)
    await drop(stores, *range(1, ROWS + 1))
    await fill(stores)
    assert await breach(stores) is None
    found = await breach(stores, anchor)
    assert found
    assert found[0] == ROWS


async def test_heads_are_noted_in_a_file_that_verify_reads(stores: Stores, tmp_path: Path) -> None:
    await fill(stores)
    await auditing.note_heads(stores.identity, stores.lounge, tmp_path)
    anchors = auditing.read_anchors(tmp_path / auditing.HEADS)
    assert anchors == [await head(stores)]
    assert await breach(stores, *anchors) is None


def test_a_file_that_holds_no_heads_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("Tuesday: nothing\n")
    with pytest.raises(auditing.AnchorFault, match="notes"):
        auditing.read_anchors(tmp_path / "notes")


def test_both_audits_are_of_one_shape() -> None:
    assert [c.name for c in identity_audit.columns] == [c.name for c in lounge_audit.columns]
