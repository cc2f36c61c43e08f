"""The errors that a statement's text, types or data cause: each class is one SQLSTATE of PostgreSQL's table."""

from __future__ import annotations

from mynode.base.errors import MyNodeError


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


class InvalidLimitError(SqlError):
    """A negative LIMIT."""

    sqlstate = "2201W"


class InvalidOffsetError(SqlError):
    """A negative OFFSET."""

    sqlstate = "2201X"


class InvalidArgumentForPowerError(SqlError):
    """A root or power that has no real value."""

    sqlstate = "2201F"


class InvalidEscapeSequenceError(SqlError):
    """A LIKE pattern that ends in its escape character, or an escape that is more than one character."""

    sqlstate = "22025"


class UntranslatableCharacterError(SqlError):
    """A character that an encoding has not."""

    sqlstate = "22P05"


class ArraySubscriptError(SqlError):
    """A place beyond the end of bytes."""

    sqlstate = "2202E"


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
