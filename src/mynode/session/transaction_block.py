"""An explicit transaction, from BEGIN to its end: what it may do now, and what of it a savepoint brings back."""

from __future__ import annotations

from datetime import datetime

from mynode.base.errors import InvariantViolation
from mynode.base.invariant import invariant
from mynode.base.limits import MAX_SAVEPOINTS
from mynode.base.sql_errors import (
    InFailedTransactionError,
    InvalidSavepointError,
    ProgramLimitExceededError,
    ReadOnlyTransactionError,
    SnapshotTooOldError,
    SqlError,
)
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.mvcc.writeset import WriteSet
from mynode.session.api import TransactionStatus
from mynode.session.settings import Settings
from mynode.sql.engine import ParsedStatement


class TransactionBlock:
    """
    Attributes:
        is_read_only: begun READ ONLY: it may not write, and keeps no read set, as nothing of it is ever validated.
        now: when it began; what `now()` says in all its statements.
        settings: those of the session before it, which a rollback brings back.
        transaction: what it read and wrote; None before its first statement, and once it timed out.

    Invariants (`check_invariants`): each entry of `_savepoints` stands for the savepoint of its place in the write set;
    a block that timed out has failed.
    """

    __slots__ = ("_end", "_has_failed", "_savepoints", "is_read_only", "now", "settings", "transaction")

    def __init__(self, *, is_read_only: bool, now: datetime, settings: Settings) -> None:
        self.is_read_only = is_read_only
        self.now = now
        self.settings = settings
        self.transaction: Transaction | None = None
        self._savepoints: list[tuple[str, Settings]] = []
        self._has_failed = False
        self._end: SqlError | None = None

    @property
    def status(self) -> TransactionStatus:
        return TransactionStatus.FAILED if self._has_failed else TransactionStatus.OPEN

    @property
    def can_time_out(self) -> bool:
        return self._end is None

    def open(self, view: ReadView) -> Transaction:
        """The first statement has its view; all others share it."""
        self.transaction = Transaction(view, record_reads=not self.is_read_only)
        return self.transaction

    def fail(self) -> None:
        """A statement failed. Its writes, and all others, are still here; only a savepoint lets them be used."""
        self._has_failed = True

    def time_out(self, why: SqlError) -> None:
        """Let go of everything, and say so to whatever comes next."""
        self._has_failed = True
        self._end = why
        self.transaction = None
        self._savepoints.clear()

    # --- what may be done now ----------------------------------------------------------------------------------------

    def check_not_timed_out(self) -> None:
        if self._end is not None:
            raise type(self._end)(self._end.message, hint=self._end.hint)

    def check_usable(self) -> None:
        """Raises what a statement in a failed block is told."""
        self.check_not_timed_out()
        if self._has_failed:
            raise InFailedTransactionError(
                "current transaction is aborted, commands ignored until end of transaction block",
                hint="An earlier statement of it failed: ROLLBACK, or ROLLBACK TO a savepoint.",
            )

    def check_may_run(self, parsed: ParsedStatement) -> None:
        if self.is_read_only and not parsed.is_read_only:
            raise ReadOnlyTransactionError(f"cannot execute {_command(parsed)} in a read-only transaction")

    # --- savepoints --------------------------------------------------------------------------------------------------

    def savepoint(self, name: str, settings: Settings) -> None:
        """A new savepoint, with the settings of this moment.

        An older one of the same name is hidden until this one is released.
        """
        if len(self._savepoints) == MAX_SAVEPOINTS:
            raise ProgramLimitExceededError(f"a transaction can have at most {MAX_SAVEPOINTS:,} savepoints")
        self._writes.savepoint()
        self._savepoints.append((name, settings))

    def rollback_to(self, name: str) -> Settings:
        """Undo all writes since the savepoint, and the failure; returns the settings to go back to.

        What was read stays read: the client has seen it.
        """
        self.check_not_timed_out()
        number = self._number(name)
        self._writes.rollback_to(number)
        del self._savepoints[number + 1 :]
        self._has_failed = False
        return self._savepoints[number][1]

    def release(self, name: str) -> None:
        """Forget the savepoint and all since; the writes stay."""
        number = self._number(name)
        self._writes.release(number)
        del self._savepoints[number:]

    @property
    def _writes(self) -> WriteSet:
        if self.transaction is None:
            raise InvariantViolation("savepoints stand in an open transaction")
        return self.transaction.writes

    def _number(self, name: str) -> int:
        for number in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[number][0] == name:
                return number
        raise InvalidSavepointError(f'savepoint "{name}" does not exist')

    def check_invariants(self) -> None:
        kept = 0 if self.transaction is None else self.transaction.writes.savepoints
        invariant(len(self._savepoints) == kept, "each savepoint has its name")
        invariant(self._has_failed or self._end is None, "a block that timed out has failed")


def view_too_old() -> SnapshotTooOldError:
    """What a transaction or a statement is told whose view is let go before it came to its end."""
    return SnapshotTooOldError(
        "the view of the data is too old: it was held for too long",
        hint="Begin anew. Shorter transactions, or a client that reads faster, get through.",
    )


def _command(parsed: ParsedStatement) -> str:
    """INSERT, CREATE TABLE, …: the words that the syntax tree's class is named after."""
    name = type(parsed.ast).__name__
    return "".join(f" {letter}" if letter.isupper() else letter for letter in name).strip().upper()
