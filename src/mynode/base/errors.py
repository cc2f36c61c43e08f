"""The one error taxonomy.

Every error a user, client or operator can meet is a `MyNodeError`. Each class says three things:

- `sqlstate`: the five-character code that clients see (PostgreSQL's table of codes where it has one).
- `retryable`: the same request may succeed later, unchanged, and trying it again is safe.
- `deterministic`: every node reaches this error from the same replicated state, so during apply it is the
  transaction's result; a non-deterministic error during apply stops the node.

`error_from_wire` gives a client the same class that the node raised.
"""

from __future__ import annotations


class MyNodeError(Exception):
    """Base of all typed errors.

    Args:
        message: one sentence, lower case first letter as PostgreSQL does, that says what is wrong.
        position: 1-based character offset in the SQL text, or None.
        hint: what to do about it, or None.
        detail: the values concerned, or None.
    """

    sqlstate: str = "XX000"
    retryable: bool = False
    deterministic: bool = True

    def __init__(
        self, message: str, *, position: int | None = None, hint: str | None = None, detail: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        return self.message


# --- our own mistakes ------------------------------------------------------------------------------------------------


class InvariantViolation(MyNodeError):
    """A mistake of ours: the node stops rather than go on with a state it does not understand."""

    deterministic = False


# --- start-up and configuration -------------------------------------------------------------------------------------


class ConfigError(MyNodeError):
    """A setting or an argument is missing or wrong."""

    sqlstate = "F0000"


class DataDirectoryError(MyNodeError):
    """The data directory cannot be used: not writable, locked by another process, or of another node."""

    sqlstate = "F0001"
    deterministic = False


class AddressInUseError(MyNodeError):
    """The listening address is taken."""

    sqlstate = "58000"
    deterministic = False


# --- storage --------------------------------------------------------------------------------------------------------


class DiskError(MyNodeError):
    """The disk failed (an I/O error, a failed fsync). The node that sees it stops."""

    sqlstate = "58030"
    deterministic = False


class DiskFullError(DiskError):
    """No space left on the device. Writes stop; reads go on; it recovers when there is room."""

    sqlstate = "53100"
    retryable = True


class CorruptionError(MyNodeError):
    """A checksum or a format rule does not hold.

    Args:
        file: the file's name inside the data directory, or its path.
        offset: bytes from the file's beginning; None where a whole file is meant.
    """

    sqlstate = "XX001"
    deterministic = False

    def __init__(self, message: str, *, file: str, offset: int | None, hint: str | None = None) -> None:
        where = file if offset is None else f"{file} at byte {offset}"
        super().__init__(f"{where}: {message}", hint=hint)
        self.file = file
        self.offset = offset
        self._problem = message

    def inside(self, directory: str) -> CorruptionError:
        """The same with the file's path, and what to do about it."""
        hint = f"The choices: mynode repair {directory}"
        return CorruptionError(self._problem, file=f"{directory}/{self.file}", offset=self.offset, hint=hint)


# --- cluster --------------------------------------------------------------------------------------------------------


class NoQuorumError(MyNodeError):
    """No leader with a quorum could be reached before the deadline; the statement was certainly not executed."""

    sqlstate = "57P03"
    retryable = True
    deterministic = False


class OutcomeUnknownError(MyNodeError):
    """The write was proposed and its outcome did not arrive in time; it may still be applied.

    Retryable only with the same session and sequence number: the replicated outcome table then answers.
    """

    sqlstate = "40003"
    deterministic = False


class NotLeaderError(MyNodeError):
    """Only the leader does what an operator asked for, and this node does not lead. PostgreSQL has no code for it."""

    sqlstate = "MN001"
    deterministic = False


class NotYetError(MyNodeError):
    """What an operator asked for has to wait for something that comes by itself; nothing was done."""

    sqlstate = "55006"
    retryable = True
    deterministic = False


class RemovedError(MyNodeError):
    """This node is no member of the cluster any more, and never will be again. PostgreSQL has no code for it."""

    sqlstate = "MN002"
    deterministic = False


class OperationRefusedError(MyNodeError):
    """The cluster is not in a state in which it does what an operator asked for; nothing was done."""

    sqlstate = "55000"
    deterministic = False


class SessionForgottenError(MyNodeError):
    """The session was idle for so long that the outcome table has forgotten it; nothing was executed.

    Sent again with a floor that is the version of this very answer, the statement goes through.
    """

    sqlstate = "57P05"
    retryable = True
    deterministic = False


class ShuttingDownError(MyNodeError):
    """The node is stopping; another node can serve the request."""

    sqlstate = "57P01"
    retryable = True
    deterministic = False

    @classmethod
    def of_node(cls) -> ShuttingDownError:
        """What every part of a node that stops answers."""
        return cls("the node is stopping", hint="Another node can serve the request.")


class NodeBusyError(MyNodeError):
    """A bound of the node (sessions, queue) is reached; nothing was executed."""

    sqlstate = "53300"
    retryable = True
    deterministic = False


class ConnectionFailedError(MyNodeError):
    """A client could not reach any node."""

    sqlstate = "08001"
    retryable = True
    deterministic = False


class ClientClosedError(MyNodeError):
    """The client or connection was closed by its owner, before the call or while it waited."""

    sqlstate = "08003"
    deterministic = False


class ProtocolViolationError(MyNodeError):
    """A peer or a client sent what the wire format does not allow."""

    sqlstate = "08P01"
    deterministic = False


# --- SQL ------------------------------------------------------------------------------------------------------------


class SqlError(MyNodeError):
    """Base of the errors that a statement's text, types or data cause."""


class SqlSyntaxError(SqlError):
    sqlstate = "42601"


class NameTooLongError(SqlError):
    sqlstate = "42622"


class UndefinedTableError(SqlError):
    sqlstate = "42P01"


class UndefinedColumnError(SqlError):
    sqlstate = "42703"


class UndefinedFunctionError(SqlError):
    sqlstate = "42883"


class UndefinedParameterError(SqlError):
    sqlstate = "42P02"


class ParameterCountError(SqlError):
    """A statement got fewer or more parameter values than it has parameters."""

    sqlstate = "07001"


class UndefinedTypeError(SqlError):
    sqlstate = "42704"


class UndefinedSettingError(SqlError):
    """SET or SHOW of a name that is no setting."""

    sqlstate = "42704"


class CannotChangeSettingError(SqlError):
    """SET of what only says how things are."""

    sqlstate = "55P02"


class CannotCoerceError(SqlError):
    """A cast that there is none of."""

    sqlstate = "42846"


class DuplicateTableError(SqlError):
    sqlstate = "42P07"


class WrongObjectTypeError(SqlError):
    """The name is that of something else than the statement is about."""

    sqlstate = "42809"


class DependentObjectsError(SqlError):
    """What is to be dropped is needed by something else."""

    sqlstate = "2BP01"


class DuplicateColumnError(SqlError):
    sqlstate = "42701"


class DuplicateObjectError(SqlError):
    sqlstate = "42710"


class UndefinedObjectError(SqlError):
    sqlstate = "42704"


class DuplicateAliasError(SqlError):
    sqlstate = "42712"


class AmbiguousColumnError(SqlError):
    sqlstate = "42702"


class InvalidTableDefinitionError(SqlError):
    sqlstate = "42P16"


class DatatypeMismatchError(SqlError):
    sqlstate = "42804"


class IndeterminateDatatypeError(SqlError):
    sqlstate = "42P18"


class InvalidDatetimeError(SqlError):
    """A text is no date or time."""

    sqlstate = "22007"


class DatetimeOverflowError(SqlError):
    """A date or time that does not exist, or that no value can hold."""

    sqlstate = "22008"


class InvalidTimeZoneOffsetError(SqlError):
    """A time zone is further from UTC than any."""

    sqlstate = "22009"


class StringTooLongError(SqlError):
    """A text does not fit a column of VARCHAR(n) or CHAR(n)."""

    sqlstate = "22001"


class InvalidArgumentForWidthBucketError(SqlError):
    """`width_bucket` has no buckets."""

    sqlstate = "2201G"


class NullValueNotAllowedError(SqlError):
    """NULL where a value must be."""

    sqlstate = "22004"


class InvalidArgumentForLogarithmError(SqlError):
    """The logarithm of zero or of a negative number."""

    sqlstate = "2201E"


class InvalidTextRepresentationError(SqlError):
    sqlstate = "22P02"


class CharacterNotInRepertoireError(SqlError):
    """Text that UTF-8 cannot hold, or that holds NUL."""

    sqlstate = "22021"


class NumericOutOfRangeError(SqlError):
    sqlstate = "22003"


class DivisionByZeroError(SqlError):
    sqlstate = "22012"


class InvalidParameterValueError(SqlError):
    sqlstate = "22023"


class InvalidRowCountError(SqlError):
    """A negative LIMIT (2201W) or OFFSET."""

    sqlstate = "2201W"


class InvalidArgumentForPowerError(SqlError):
    """A root or power that has no real value."""

    sqlstate = "2201F"


class InvalidEscapeSequenceError(SqlError):
    """A LIKE pattern that ends in its escape character, or an escape that is more than one character."""

    sqlstate = "22025"


class SubstringError(SqlError):
    sqlstate = "22011"


class AmbiguousFunctionError(SqlError):
    sqlstate = "42725"


class GroupingError(SqlError):
    """A column outside of an aggregate in a query that aggregates, or an aggregate where none may stand."""

    sqlstate = "42803"


class CardinalityError(SqlError):
    """A sub-query that stands for one value found more than one row, or ON CONFLICT would update a row twice."""

    sqlstate = "21000"


class InvalidSchemaNameError(SqlError):
    sqlstate = "3F000"


class InvalidColumnReferenceError(SqlError):
    """An ORDER BY position that is not in the select list, or more."""

    sqlstate = "42P10"


class NotNullViolationError(SqlError):
    sqlstate = "23502"


class UniqueViolationError(SqlError):
    sqlstate = "23505"


class ForeignKeyViolationError(SqlError):
    sqlstate = "23503"


class InvalidForeignKeyError(SqlError):
    sqlstate = "42830"


class GeneratedAlwaysError(SqlError):
    sqlstate = "428C9"


class CheckViolationError(SqlError):
    sqlstate = "23514"


class FeatureNotSupportedError(SqlError):
    sqlstate = "0A000"


class ProgramLimitExceededError(SqlError):
    """A statement, row, key or result is over a limit of `mynode.base.limits`."""

    sqlstate = "54000"


class QueryMemoryError(SqlError):
    """A query holds more than `limits.MAX_QUERY_BYTES`."""

    sqlstate = "53200"


class StatementTooComplexError(SqlError):
    """Nested deeper than the parser allows."""

    sqlstate = "54001"


class SerializationFailureError(SqlError):
    """The transaction is rolled back, and may succeed if all of it is run again.

    A concurrent transaction changed what this one read, or the node that held it was lost before COMMIT. Not
    `retryable`: the COMMIT alone has nothing left to commit.
    """

    sqlstate = "40001"


class ActiveTransactionError(SqlError):
    """BEGIN inside a transaction."""

    sqlstate = "25001"


class ReadOnlyTransactionError(SqlError):
    """A statement that writes, in a READ ONLY transaction."""

    sqlstate = "25006"


class NoActiveTransactionError(SqlError):
    """COMMIT or a savepoint outside of a transaction."""

    sqlstate = "25P01"


class InFailedTransactionError(SqlError):
    """An earlier statement of the transaction failed: only ROLLBACK, or ROLLBACK TO a savepoint, helps."""

    sqlstate = "25P02"


class IdleInTransactionTimeoutError(SqlError):
    """The client left its transaction open without a statement for too long, and it was rolled back."""

    sqlstate = "25P03"
    deterministic = False


class InvalidStatementNameError(SqlError):
    """There is no prepared statement of this name."""

    sqlstate = "26000"


class DuplicatePreparedStatementError(SqlError):
    sqlstate = "42P05"


class SnapshotTooOldError(SqlError):
    """The view of the data is too old to be read any longer: it was let go, and what it kept from being reused."""

    sqlstate = "72000"
    deterministic = False


class InvalidSavepointError(SqlError):
    """There is no savepoint of this name."""

    sqlstate = "3B001"


class QueryCanceledError(MyNodeError):
    """Cancelled by the client, or over its deadline before anything was proposed. No result of the statement itself."""

    sqlstate = "57014"
    deterministic = False


# --- the wire -------------------------------------------------------------------------------------------------------


class RemoteError(MyNodeError):
    """An error that a node sent and this client has no class for; it keeps the node's SQLSTATE."""

    deterministic = False

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str,
        position: int | None = None,
        hint: str | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message, position=position, hint=hint, detail=detail)
        self.sqlstate = sqlstate


def _classes_by_sqlstate() -> dict[str, type[MyNodeError]]:
    found: dict[str, type[MyNodeError]] = {}
    waiting = MyNodeError.__subclasses__()
    while waiting:
        cls = waiting.pop()
        waiting.extend(cls.__subclasses__())
        if cls not in (CorruptionError, RemoteError):
            found.setdefault(cls.sqlstate, cls)
    return found


def error_from_wire(
    sqlstate: str, message: str, *, position: int | None = None, hint: str | None = None, detail: str | None = None
) -> MyNodeError:
    """The error that a node raised, as the same class where this client knows its SQLSTATE."""
    cls = _BY_SQLSTATE.get(sqlstate)
    if cls is None:
        return RemoteError(message, sqlstate=sqlstate, position=position, hint=hint, detail=detail)
    return cls(message, position=position, hint=hint, detail=detail)


_BY_SQLSTATE = _classes_by_sqlstate()
