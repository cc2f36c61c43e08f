"""state_machine: applies committed entries and hands out read views."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, assert_never

import structlog
import trio

from mynode.actors.mailbox import Inbox, Reply
from mynode.actors.newest_view import NewestView
from mynode.actors.protocol import (
    Applied,
    ApplyEntries,
    BeginCheckpoint,
    MachineStatusAsk,
    OpenViews,
    RaftMessage,
    RefuseViews,
    ReplaceMachine,
    StateMessage,
)
from mynode.base.errors import OutcomeUnknownError, ShuttingDownError
from mynode.base.ids import LogIndex
from mynode.base.invariant import invariant
from mynode.machine.machine import Machine
from mynode.machine.outcomes import Outcome
from mynode.mvcc.view import ReadView
from mynode.raft.messages import Entry

log = structlog.get_logger(__name__)

APPLY_SLICE_ENTRIES: Final = 256
"""Entries applied between two moments in which other tasks may run."""


class StateMachineActor:
    """Owns the `Machine`. Views are answered once the index they ask for is applied.

    Invariant: every reply handed in is answered once, by a view, an outcome or `ShuttingDownError`.
    """

    def __init__(
        self, machine: Machine, *, inbox: Inbox[StateMessage], raft: Inbox[RaftMessage], newest: NewestView
    ) -> None:
        self._machine = machine
        self._newest = newest
        self._inbox = inbox
        self._raft = raft
        self._unhandled: deque[StateMessage] = deque()
        self._waiting: list[tuple[LogIndex, Reply[ReadView]]] = []
        self._proposers: dict[LogIndex, Reply[Outcome]] = {}

    async def run(self) -> None:
        try:
            while True:
                self._unhandled.extend(await self._inbox.drain())
                while self._unhandled:
                    await self._handle(self._unhandled.popleft())
                self._serve_views()
        finally:
            self._refuse_all()

    async def _handle(self, message: StateMessage) -> None:
        match message:
            case ApplyEntries(entries, replies, tell):
                await self._apply(entries, replies)
                if tell:
                    self._raft.post(Applied())  # It has a place of its own, see RAFT_RESERVED.
            case OpenViews(at_least, replies):
                self._waiting.extend((at_least, reply) for reply in replies)
            case RefuseViews(error):
                for _, reply in self._waiting:
                    reply.answer(error)
                self._waiting.clear()
            case MachineStatusAsk(reply):
                reply.answer(self._machine.status())
            case ReplaceMachine(machine, done):
                invariant(machine.applied > self._machine.applied, "a snapshot is ahead of the state that it replaces")
                self._machine = machine
                self._newest.show(machine.view())
                done.set()
            case BeginCheckpoint(begin, done):
                begin()
                done.set()
            case _:
                assert_never(message)

    async def _apply(self, entries: tuple[Entry, ...], replies: Mapping[LogIndex, Reply[Outcome]]) -> None:
        self._proposers.update(replies)
        for start in range(0, len(entries), APPLY_SLICE_ENTRIES):
            if start:
                self._serve_views()
                await trio.lowlevel.checkpoint()
            applied = entries[start : start + APPLY_SLICE_ENTRIES]
            outcomes = await self._apply_slice(applied)
            self._newest.show(self._machine.view())
            if self._proposers:
                for entry, outcome in zip(applied, outcomes, strict=True):
                    reply = self._proposers.pop(entry.index, None)
                    if reply is not None and outcome is not None:
                        reply.answer(outcome)

    async def _apply_slice(self, entries: tuple[Entry, ...]) -> list[Outcome | None]:
        """In the pauses of large entries others run, on the state before this slice. No message is handled then.

        What goes wrong here is not in the entry, or all nodes would have it as their result: this node stops.
        """
        steps = self._machine.apply_in_steps(entries)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                outcomes: list[Outcome | None] = stop.value
                return outcomes
            except Exception as error:
                log.critical("an entry could not be applied", index=self._machine.applying, cause=repr(error))
                raise
            await trio.lowlevel.checkpoint()

    def _serve_views(self) -> None:
        if not self._waiting:
            return
        applied = self._machine.applied
        view = self._machine.view()
        still_waiting: list[tuple[LogIndex, Reply[ReadView]]] = []
        for at_least, reply in self._waiting:
            if at_least <= applied:
                reply.answer(view)
            elif not reply.abandoned:
                still_waiting.append((at_least, reply))
        self._waiting = still_waiting

    def _refuse_all(self) -> None:
        for message in (*self._unhandled, *self._inbox.close()):
            match message:
                case ApplyEntries(replies=replies):
                    self._proposers.update(replies)
                case OpenViews(at_least, views):
                    self._waiting.extend((at_least, view) for view in views)
                case MachineStatusAsk(reply):
                    reply.answer(ShuttingDownError.of_node())
        for _, view in self._waiting:
            view.answer(ShuttingDownError.of_node())
        for outcome in self._proposers.values():
            outcome.answer(OutcomeUnknownError("the node stopped before it applied the statement"))
