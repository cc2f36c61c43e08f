"""How actors that run SQL reach the replicated state: views of it, and proposals to change it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from random import Random

import trio

from mynode.actors.mailbox import Inbox, Reply
from mynode.actors.newest_view import NewestView
from mynode.actors.protocol import (
    RAFT_RESERVED,
    AbandonProposal,
    OpenViews,
    ProposeAsk,
    RaftMessage,
    ReadAsk,
    StateMessage,
)
from mynode.base.errors import NodeBusyError
from mynode.base.ids import ProposalId, Version
from mynode.machine.commands import Command, encode_command
from mynode.machine.outcomes import Outcome
from mynode.mvcc.view import ReadView


class ProposalIds:
    """Names for the proposals of one process's life: 8 random bytes and a counter of 4."""

    def __init__(self, random: Random) -> None:
        self._prefix = random.randbytes(8)
        self._numbers = itertools.count(1)

    def next(self) -> ProposalId:
        return self._prefix + (next(self._numbers) & 0xFFFFFFFF).to_bytes(4, "big")


class StateAccess:
    """Asks raft and state_machine on behalf of whoever runs statements; shared by all of a node."""

    def __init__(
        self,
        *,
        raft: Inbox[RaftMessage],
        state_machine: Inbox[StateMessage],
        newest: NewestView,
        proposal_ids: ProposalIds,
        now: Callable[[], datetime],
    ) -> None:
        self._raft = raft
        self._newest = newest
        self._state_machine = state_machine
        self._proposal_ids = proposal_ids
        self._now = now

    async def open_view(self, at_least: Version) -> ReadView:
        """The newest view of this node, once it has applied `at_least`."""
        if (view := self._newest.at_least(at_least)) is not None:
            return view
        local: Reply[ReadView] = Reply()
        await self._state_machine.send(OpenViews(at_least, (local,)))
        return await local.wait()

    async def open_fresh_view(self) -> ReadView:
        """A view that holds every write acknowledged so far, anywhere."""
        fresh: Reply[ReadView] = Reply()
        self._ask_raft(ReadAsk(fresh))
        return await fresh.wait()

    async def propose(self, command: Command, patience: trio.CancelScope) -> Outcome:
        """The command's outcome. `patience`, not entered yet, ends the wait; nothing else does.

        Then raft is told to abandon the proposal, and has the last word on it: the outcome, or the error that says what
        is known.
        """
        outcome: Reply[Outcome] = Reply()
        id_ = self._proposal_ids.next()
        self._ask_raft(ProposeAsk(id_, encode_command(replace(command, time_ms=self._now_ms())), outcome))
        with trio.CancelScope(shield=True):
            with patience:
                await outcome.arrived()
            if not outcome.is_answered:
                self._raft.post(AbandonProposal(id_))  # It has a place of its own, see RAFT_RESERVED.
            await outcome.arrived()
        return await outcome.wait()

    def _now_ms(self) -> int:
        return max(0, int(1000 * self._now().timestamp()))

    def _ask_raft(self, ask: ReadAsk | ProposeAsk) -> None:
        if not self._raft.post(ask, leave=RAFT_RESERVED):
            raise NodeBusyError("the node is stopping, or too much waits here", hint="Send the statement again later.")
