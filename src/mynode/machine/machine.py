"""The replicated state machine: applies committed entries to the tree, a batch at a time."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import assert_never

from mynode.base.errors import ProtocolViolationError
from mynode.base.ids import LogIndex, Version
from mynode.base.invariant import invariant
from mynode.base.limits import APPLY_STEP_BYTES, APPLY_STEP_WRITES, HISTORY_RECORDS, MAX_OUTCOMES, RETENTION_ENTRIES
from mynode.machine.commands import BatchCommand, RetainCommand, TransactionCommand, decode_command
from mynode.machine.outcomes import Committed, Conflicted, Outcome, OutcomeTable, Refused, outcome_key
from mynode.mvcc.garbage import Garbage
from mynode.mvcc.history import History
from mynode.mvcc.retention import Retention, put_retention, retention_of
from mynode.mvcc.tombstones import Tombstones
from mynode.mvcc.validation import conflict
from mynode.mvcc.view import ReadView
from mynode.raft.messages import Entry, EntryKind
from mynode.storage.engine import Engine
from mynode.storage.tree import TreeEditor


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """Sizes for operators. `records` counts everything in the tree: rows, catalog, tombstones, outcomes, history."""

    applied: LogIndex
    watermark: Version
    records: int
    tombstones: int
    outcomes: int
    horizon: Version


class Machine:
    """Applies entries in the order of the log, each exactly once.

    An entry is decided by what the entries before it made, those of its own batch included: how entries fall into
    batches changes nothing, down to the shape of the tree. Should `apply` raise, or its steps end early, the tree is as
    it was, but the machine must not be used again: the node stops and starts from what is durable.

    Args:
        engine: holds the tree; entries go on after its `applied_index`.
        max_outcomes: sessions the outcome table keeps.
        retention_entries: how many entries a view may be old when its transaction is applied, until a command says
            another number.
        history_records: how many overwritten or deleted records it keeps with so many entries; with other numbers in
            proportion.
            All must be the same on all nodes, at all times.

    Invariants (`check_invariants`): what is kept beside the tree equals what the tree alone gives; the tree's own.
    """

    __slots__ = (
        "_default_retention",
        "_engine",
        "_garbage",
        "_history",
        "_history_records",
        "_outcomes",
        "_retention",
        "_tombstones",
        "applied",
        "applying",
    )

    def __init__(
        self,
        engine: Engine,
        *,
        max_outcomes: int = MAX_OUTCOMES,
        retention_entries: int = RETENTION_ENTRIES,
        history_records: int = HISTORY_RECORDS,
    ) -> None:
        self._engine = engine
        self._default_retention = Retention(retention_entries)
        self._history_records = history_records
        self._retention = retention_of(engine.tree, self._default_retention)
        self._outcomes = OutcomeTable(engine.tree, max_outcomes)
        self._tombstones = Tombstones(engine.tree)
        self._garbage = Garbage(engine.tree)
        self._history = History(engine.tree, limit=self._history_limit())
        self.applied: LogIndex = engine.applied_index
        self.applying: LogIndex = self.applied
        """The entry that is being applied, or was the last: when `apply` raises, the one that could not be."""

    def apply(self, entries: Sequence[Entry]) -> list[Outcome | None]:
        """Apply the next entries of the log; one outcome an entry, None for one that is not a command."""
        steps = self.apply_in_steps(entries)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                outcomes: list[Outcome | None] = stop.value
                return outcomes

    def apply_in_steps(self, entries: Sequence[Entry]) -> Generator[None, None, list[Outcome | None]]:
        """The same with pauses, so that large entries hold up nobody for long.

        In a pause the newest state is the one from before: tree and index are adopted together, at the end. Until then
        the machine may be asked for views and for nothing else, and no checkpoint may begin: the page file would not
        know what the tree that is being made replaces.
        """
        if not entries:
            return []
        editor = self._engine.tree.edit()
        outcomes: list[Outcome | None] = []
        membership: bytes | None = None
        applied, bytes_since_pause = self.applied, 0
        for entry in entries:
            self.applying = entry.index
            invariant(entry.index == applied + 1, "entries are applied in the order of the log, without a gap")
            if bytes_since_pause > APPLY_STEP_BYTES:
                yield
                bytes_since_pause = 0
            bytes_since_pause += len(entry.payload)
            outcomes.append((yield from self._decide(editor, entry)) if entry.kind == EntryKind.COMMAND else None)
            if entry.kind == EntryKind.CONFIG:
                membership = entry.payload
            watermark = self._retention.watermark(entry.index)
            self._tombstones.collect(editor, watermark)
            self._garbage.collect(editor, self._tombstones, watermark)
            yield from self._history.collect(editor, entry.index, watermark)
            applied = entry.index
        self._engine.adopt(editor.commit(), applied, entries[-1].term, membership)
        self.applied = applied
        return outcomes

    def view(self) -> ReadView:
        """The newest state."""
        return ReadView(self.applied, self._engine.tree)

    def status(self) -> MachineStatus:
        return MachineStatus(
            applied=self.applied,
            watermark=self._retention.watermark(self.applied),
            records=self._engine.tree.count,
            tombstones=len(self._tombstones),
            outcomes=len(self._outcomes),
            horizon=self._outcomes.horizon,
        )

    def check_invariants(self) -> None:
        tree = self._engine.tree
        tree.check_invariants()
        invariant(self.applied == self._engine.applied_index, "index and tree are adopted in one step")
        self._outcomes.check_invariants(tree)
        self._tombstones.check_invariants(tree)
        self._garbage.check_invariants(tree)
        self._history.check_invariants(tree)
        invariant(self._retention == retention_of(tree, self._default_retention), "the retention is the tree's")
        invariant(self._history.limit == self._history_limit(), "the history's limit follows the retention")

    def _history_limit(self) -> int:
        return self._history_records * self._retention.entries // self._default_retention.entries

    def _decide(self, editor: TreeEditor, entry: Entry) -> Generator[None, None, Outcome]:
        """Apply one command. A command that is none is refused: every node holds the same bytes and finds the same."""
        try:
            command = decode_command(entry.payload)
        except ProtocolViolationError as error:
            return Refused.of(error)
        match command:
            case TransactionCommand():
                return (yield from self._apply_transaction(editor, entry.index, command))
            case BatchCommand():
                return (yield from self._apply_batch(editor, entry.index, command))
            case RetainCommand():
                return self._apply_retain(editor, entry.index, command)
            case _:
                assert_never(command)

    def _apply_transaction(
        self, editor: TreeEditor, version: Version, command: TransactionCommand
    ) -> Generator[None, None, Outcome]:
        earlier = self._outcomes.find(editor, command.session, command.sequence, command.floor)
        if earlier is not None:
            return earlier
        failure = yield from self._validate_and_write(editor, version, command)
        if failure is not None:
            return failure
        self._outcomes.store(editor, command.session, command.sequence, version, command.result)
        return Committed(version, command.result, replayed=False)

    def _apply_batch(
        self, editor: TreeEditor, version: Version, command: BatchCommand
    ) -> Generator[None, None, Outcome]:
        """One request that has an outcome already, or may have had one, stops all: the others saw its writes."""
        for request in command.requests:
            if self._outcomes.find(editor, request.session, request.sequence, request.floor) is not None:
                return Conflicted(outcome_key(request.session))
        failure = yield from self._validate_and_write(editor, version, command)
        if failure is not None:
            return failure
        for request in command.requests:
            self._outcomes.store(editor, request.session, request.sequence, version, request.result)
        return Committed(version, b"", replayed=False)

    def _apply_retain(self, editor: TreeEditor, version: Version, command: RetainCommand) -> Outcome:
        """Nothing is taken out at once that was kept before: this entry and those to come do it, each a part."""
        earlier = self._outcomes.find(editor, command.session, command.sequence, command.floor)
        if earlier is not None:
            return earlier
        self._retention = self._retention.changed(version, command.entries)
        self._history.limit = self._history_limit()
        put_retention(editor, version, self._retention)
        self._history.sample(editor, version, command.time_ms, self._retention.watermark(version))
        self._outcomes.store(editor, command.session, command.sequence, version, command.result)
        return Committed(version, command.result, replayed=False)

    def _validate_and_write(
        self, editor: TreeEditor, version: Version, command: TransactionCommand | BatchCommand
    ) -> Generator[None, None, Conflicted | Refused | None]:
        """Write what the command writes, or say why not."""
        if command.view >= version:
            return Refused.of(ProtocolViolationError("the command rests on a view that was not there yet"))
        watermark = self._retention.watermark(version)
        if command.view < watermark:
            return Conflicted(b"")
        changed = conflict(editor, command.view, command.reads)
        if changed is not None:
            return Conflicted(changed)
        for start in range(0, len(command.writes), APPLY_STEP_WRITES):
            if start:
                yield
            writes = command.writes[start : start + APPLY_STEP_WRITES]
            for write in writes:
                self._history.keep(editor, write, version)
                editor.put(write[0], version, write[1])
            self._tombstones.follow(writes, version)
            self._garbage.follow(writes, version)
        self._history.sample(editor, version, command.time_ms, watermark)
        return None
