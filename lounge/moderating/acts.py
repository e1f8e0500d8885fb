"""What moderators do in rooms, also in ones they have not entered: each act to the part that does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lounge import policy
from lounge.conversation import Conversation
from lounge.door import Guest
from lounge.errors import Code, Refusal
from lounge.moderating.asked import Asked, Means
from storage.acts import Outcome

Do = Callable[[Guest, Asked], Awaitable[Outcome]]


class Acts:
    """By name of the act: who does it. Raises Refusal for whatever is declined.

    `again`: what is done after a first answer, too, for the first time may have been cut off.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self.handle: dict[Means, Do] = {}
        self.again: dict[Means, Callable[[Asked], Awaitable[None]]] = {}

    async def do(self, guest: Guest, asked: Asked) -> Outcome:
        """Do it once; a repetition gets its first answer, whatever she may by now."""
        if not policy.may_moderate(guest.doctor):
            raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")
        do = self.handle.get(asked.act)
        if do is None:
            raise Refusal(Code.INVALID, "refusal.no_such_act", field="act")
        request = self._conversation.request_of(guest, asked.room, asked.cid, *asked.content)
        known = await self._conversation.receipt(request)
        if known is None:
            return await do(guest, asked)
        if asked.act in self.again:
            await self.again[asked.act](asked)
        return known
