"""Turns: what is asked anew after somebody's revocation does not change places with what came later."""

from __future__ import annotations

import asyncio

from lounge.turns import Turn, Turns


class Queue:
    """A writer's queue: notes in which order acts came, and refuses as stale those of another epoch."""

    def __init__(self) -> None:
        self.epoch = 1
        self.kept: list[str] = []
        self.commits = asyncio.Event()

    async def keeps(self, name: str, epoch: int) -> bool:
        await self.commits.wait()
        if epoch == self.epoch:
            self.kept.append(name)
        return epoch == self.epoch


class Seat:
    """As the conversation does it: queue at once when it is one's turn, and again when it was stale."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.turns = Turns()
        self.epoch = 1
        self.rechecked = asyncio.Event()

    async def say(self, name: str) -> None:
        turn: Turn = self.turns.take()
        while True:
            while not turn.is_next(self.epoch):
                await turn.comes(self.epoch)
            turn.epoch = self.epoch
            if await self.queue.keeps(name, turn.epoch):
                turn.end()
                return
            turn.epoch = None
            await self.rechecked.wait()


async def test_what_was_stale_is_kept_before_what_came_after_the_recheck() -> None:
    queue = Queue()
    seat = Seat(queue)
    early = [asyncio.create_task(seat.say(name)) for name in ("first", "second")]
    await asyncio.sleep(0)
    queue.epoch = 2  # somebody was revoked, and these two will be stale
    seat.epoch = 2  # which the door notices before they are told so
    seat.rechecked.set()
    late = asyncio.create_task(seat.say("third"))
    await asyncio.sleep(0)
    queue.commits.set()
    await asyncio.gather(*early, late)
    assert queue.kept == ["first", "second", "third"]


async def test_without_a_revocation_nobody_waits() -> None:
    queue = Queue()
    seat = Seat(queue)
    turns = [seat.turns.take() for _ in range(3)]
    for turn in turns:
        assert turn.is_next(1)
        turn.epoch = 1
    turns[1].end()
    turns[0].end()
    assert seat.turns.take().is_next(1)


async def test_who_gives_up_lets_the_next_one_go() -> None:
    turns = Turns()
    first, second = turns.take(), turns.take()
    waiting = asyncio.create_task(second.comes(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    first.end()
    await asyncio.wait_for(waiting, 30)
