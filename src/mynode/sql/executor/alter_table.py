"""ALTER TABLE and TRUNCATE: new records of tables; rows are looked at to check them, and seldom written anew.

A check of the rows that are there has read them all, so whoever changes one at the same time conflicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mynode.base.errors import InvariantViolation
from mynode.base.limits import MAX_TRANSACTION_BYTES, ROWS_BETWEEN_PAUSES
from mynode.base.sql_errors import CheckViolationError, NotNullViolationError, ProgramLimitExceededError
from mynode.mvcc.transaction import Transaction
from mynode.relation.catalog import (
    change_view,
    current_table,
    discard,
    drop_relation,
    drop_view,
    link,
    new_id,
    put_table,
    table_exists,
    with_new_counters,
)
from mynode.relation.index_build import IndexTooBigError, create_index
from mynode.relation.keys import ROW_PREFIX_BYTES
from mynode.relation.references import Reference
from mynode.relation.rows import TableRows
from mynode.relation.schema import NO_ID, Table
from mynode.sql import plan
from mynode.sql.compiler import Compiler
from mynode.sql.executor.changes import microseconds
from mynode.sql.executor.context import Execute, Execution, ExecutionContext
from mynode.sql.executor.foreign_keys import nothing_referred_to
from mynode.sql.expressions import IsTruth
from mynode.sql.result import Completion
from mynode.values.types import Row

_MOST_ROWS: Final = MAX_TRANSACTION_BYTES // ROW_PREFIX_BYTES
"""More rows than these do not fit one transaction, however short they are."""


def alter_table(node: plan.AlterTable) -> Execute:
    """The execution raises `CheckViolationError`, `NotNullViolationError`, `ForeignKeyViolationError`,
    `UniqueViolationError`, or `ProgramLimitExceededError` for a table with too many rows to give it a key or index.
    """
    before, after = node.table, node.alteration
    if before is None or after is None:
        return _nothing(node.name)
    values = Compiler().values([value for _, value in after.missing])
    rewrite = None if after.rewrite is None else _rewriting(before, after.rewrite)

    def run(context: ExecutionContext) -> Execution:
        transaction = context.transaction
        missing = dict(zip([slot for slot, _ in after.missing], values(context), strict=True))
        columns = tuple(
            replace(column, missing=missing[column.slot]) if column.slot in missing else column
            for column in after.table.columns
        )
        table = with_new_counters(transaction, replace(after.table, columns=columns))
        if rewrite is not None:
            table = emptied(transaction, table)
        _put(transaction, before, table, after)
        if rewrite is not None:
            yield from rewrite(TableRows(table), context)
        for draft in after.indexes:
            try:
                for _ in create_index(transaction, _current(transaction, table.name), draft):
                    yield []
            except IndexTooBigError as error:
                if after.is_alone:
                    raise
                raise ProgramLimitExceededError(error.message, hint="Add the constraint by itself.") from None
        if after.not_null or after.rules.checks or after.foreign_keys:
            yield from _check_rows(context, TableRows(table), after)
        return Completion("ALTER TABLE", -1)

    return run


def _nothing(name: str) -> Execute:
    def run(context: ExecutionContext) -> Execution:
        yield from ()
        table_exists(context.transaction, name)  # the answer rests on it, so it belongs in the read set
        return Completion("ALTER TABLE", -1)

    return run


def _put(transaction: Transaction, before: Table, table: Table, after: plan.Alteration) -> None:
    """Write all records that change, those of tables that are referred to or no longer are among them."""
    for view in after.dropped_views:
        drop_view(transaction, view)
    for view in after.changed_views:
        change_view(transaction, view)
    if table.name != before.name:
        drop_relation(transaction, before.name)
    put_table(transaction, table)
    discard(transaction, before, table)
    for other in after.others:
        put_table(transaction, other)
    parents = {one.table for one in (*before.foreign_keys, *table.foreign_keys)} | {table.name}
    for name in sorted(parents):
        link(transaction, name)


def _current(transaction: Transaction, name: str) -> Table:
    table = current_table(transaction, name)
    if table is None:
        raise InvariantViolation("a table that is altered is there")
    return table


def emptied(transaction: Transaction, table: Table) -> Table:
    """The table under a new id, where there are no rows; the old ones become garbage."""
    columns = tuple(replace(column, missing=None) for column in table.columns)
    return replace(table, id=new_id(transaction), columns=columns, shortest_record=table.slots)


def _rewriting(before: Table, node: plan.Rewrite) -> Callable[[TableRows, ExecutionContext], Iterator[list[Row]]]:
    """Writes all rows of a table anew.

    Raises what is wrong with a value, `ProgramLimitExceededError` and, before it writes any, `NumbersNeeded`.
    """
    old = TableRows(before)
    compute = Compiler(node.columns).rows(None, node.values)

    def changed(record: bytes, counters: Mapping[int, int], context: ExecutionContext) -> Row:
        row = compute([old.decode(record)], context)[0]
        if not counters:
            return row
        next_number = context.numbers.next
        return tuple([next_number(counters[at]) if at in counters else value for at, value in enumerate(row)])

    def rewrite(new: TableRows, context: ExecutionContext) -> Iterator[list[Row]]:
        transaction, table = context.transaction, new.table
        not_null = [column.name for column in table.columns if column.not_null]
        row_id = None if table.primary_key else new.row_ids(transaction, microseconds(context.now))
        counters = {place: table.columns[place].counter for place in node.numbered}
        try:
            if counters:
                yield from _reserve(old, counters.values(), context)
            for number, (_, record) in enumerate(transaction.scan(old.low, old.high), 1):
                row = changed(record, counters, context)
                _refuse_nulls(table, row, not_null)
                if row_id is None:
                    new.insert(transaction, row)
                else:
                    new.insert_at(transaction, row_id(number), row)
                if number % ROWS_BETWEEN_PAUSES == 0:
                    yield []
        except ProgramLimitExceededError as error:
            raise ProgramLimitExceededError(
                f'table "{table.name}" is too large to be rewritten in one transaction: {error.message}',
                hint="Copy its rows, a part at a time, to a new table, and rename that.",
            ) from None

    return rewrite


def _reserve(rows: TableRows, counters: Iterable[int], context: ExecutionContext) -> Iterator[list[Row]]:
    """See to it that each of the counters has a number for every row.

    Raises `NumbersNeeded`, or `ProgramLimitExceededError` if there are more rows than one transaction could write.
    """
    count = 0
    for count, _ in enumerate(context.transaction.scan(rows.low, rows.high), 1):
        if count > _MOST_ROWS:
            raise ProgramLimitExceededError(f"it has more than {_MOST_ROWS:,} rows")
        if count % ROWS_BETWEEN_PAUSES == 0:
            yield []
    for counter in counters:
        context.numbers.reserve(counter, count)


def _check_rows(context: ExecutionContext, rows: TableRows, after: plan.Alteration) -> Iterator[list[Row]]:
    transaction, table = context.transaction, rows.table
    tests = [
        (one.name, Compiler(after.rules.columns).rows(IsTruth(one.condition, False), None))
        for one in after.rules.checks
    ]
    references = []
    for foreign_key in after.foreign_keys:
        parent = rows if foreign_key.table == table.name else TableRows(_current(transaction, foreign_key.table))
        references.append(Reference(foreign_key, rows, parent))
    for count, (_, record) in enumerate(transaction.scan(rows.low, rows.high), 1):
        row = rows.decode(record)
        _refuse_nulls(table, row, after.not_null)
        for name, test in tests:
            if test([row], context):
                raise CheckViolationError(
                    f'check constraint "{name}" of relation "{table.name}" is violated by some row'
                )
        for reference in references:
            values = reference.of_child(row)
            if values is not None and not reference.has_parent(transaction, values):
                raise nothing_referred_to(reference, values)
        if count % ROWS_BETWEEN_PAUSES == 0:
            yield []


def _refuse_nulls(table: Table, row: Row, names: Sequence[str]) -> None:
    for column, value in zip(table.columns, row, strict=True):
        if value is None and column.name in names:
            raise NotNullViolationError(f'column "{column.name}" of relation "{table.name}" contains null values')


def truncate(node: plan.Truncate) -> Execute:
    """Gives the tables new ids, under which there are no rows."""

    def run(context: ExecutionContext) -> Execution:
        yield from ()
        transaction = context.transaction
        for table in node.tables:
            before = current = _current(transaction, table.name)
            if node.restarts:
                columns = tuple(replace(column, counter=NO_ID) for column in current.columns)
                current = with_new_counters(transaction, replace(current, columns=columns))
            empty = emptied(transaction, current)
            put_table(transaction, empty)
            discard(transaction, before, empty)
        return Completion("TRUNCATE TABLE", -1)

    return run
