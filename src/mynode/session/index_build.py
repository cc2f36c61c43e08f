"""Builds an index on a big table in steps of its own, while others write; see `mynode.relation.index_build`.

The statement that needs the index (CREATE INDEX, say) finds that it is too big for one transaction. Then the session
takes these steps, and runs the statement again, which now finds all entries there and only has to mark the index ready.
So the steps need no place in the outcome table that the statement's session has: a session id of their own will do, and
a step that is lost or applied twice does no harm, because what is done is told by the records themselves.

If the session ends in the middle (its node is killed, the statement is cancelled or times out), the index stays as it
is, half-built. The same statement again, on any node, goes on with it: a client's own retry, too.
"""

from __future__ import annotations

from random import Random
from typing import Final

from mynode.base.errors import NodeBusyError, NoQuorumError, OutcomeUnknownError
from mynode.base.ids import Version
from mynode.base.limits import INDEX_BATCH_ROWS
from mynode.base.sql_errors import UndefinedObjectError, UniqueViolationError
from mynode.machine.outcomes import Committed, Conflicted, Outcome, Refused
from mynode.mvcc.transaction import Transaction
from mynode.relation.catalog import current_table
from mynode.relation.index_build import (
    IndexTooBigError,
    add_batch,
    add_index,
    building,
    drop_index,
    is_filled,
    unfinished,
)
from mynode.relation.schema import Index, Table
from mynode.session.api import Completion
from mynode.session.effects import Backoff, OpenView, Pause
from mynode.session.steps import Steps, WriteResult, open_view, propose

_DONE: Final = WriteResult(Completion("", -1))


class IndexBuild:
    """One build of an index, driven by one session."""

    def __init__(self, needed: IndexTooBigError, random: Random) -> None:
        self._table_name = needed.table.name
        self._draft = needed.draft
        self._session = random.randbytes(16)
        self._sequence = 0
        self._rows = INDEX_BATCH_ROWS
        self._seen: Version = 0

    def run(self) -> Steps[None]:
        """Returns when all entries are there, or the statement must find out anew what there is.

        Raises:
            UniqueViolationError: two rows have the same values; the index is dropped.
            UndefinedObjectError: somebody else has dropped it.
        """
        has_begun = False
        attempt = 1
        while True:
            view = yield from open_view(OpenView(self._seen))
            transaction = Transaction(view)
            table = current_table(transaction, self._table_name)
            if table is None:
                return
            index = unfinished(table, self._draft)
            violation: UniqueViolationError | None = None
            if index is None:
                if has_begun and table.index(self._draft.name) is None:
                    raise UndefinedObjectError(f'index "{self._draft.name}" was dropped while it was built')
                if table.index(self._draft.name) is not None:
                    return
                add_index(transaction, table, building(self._draft))
            elif is_filled(transaction, table, index):
                return
            else:
                violation = yield from self._add_batch(transaction, table, index)
            outcome = yield from self._propose(transaction)
            if isinstance(outcome, Committed):
                if violation is not None:
                    raise violation
                has_begun = True
                attempt = 1
                self._seen = outcome.version
                self._rows = min(self._rows * 2, INDEX_BATCH_ROWS)
            else:
                attempt += 1
                self._rows = max(self._rows // 2, 1)
                yield Backoff(attempt)

    def _add_batch(self, transaction: Transaction, table: Table, index: Index) -> Steps[UniqueViolationError | None]:
        """The next batch, or what drops the index because it cannot be: then the error, true if that commits."""
        savepoint = transaction.writes.savepoint()
        try:
            for _ in add_batch(transaction, table, index, self._rows):
                yield Pause()
        except UniqueViolationError as error:
            transaction.writes.rollback_to(savepoint)
            drop_index(transaction, table, index)
            return error
        return None

    def _propose(self, transaction: Transaction) -> Steps[Committed | None]:
        """None if the step must be taken again, on a newer view: it may have been applied all the same."""
        self._sequence += 1
        try:
            outcome: Outcome = yield from propose(
                self._session, self._sequence, transaction.view.version, transaction, _DONE
            )
        except (OutcomeUnknownError, NodeBusyError, NoQuorumError):
            return None
        match outcome:
            case Refused():
                raise outcome.to_error()
            case Conflicted():
                return None
            case Committed():
                return outcome
