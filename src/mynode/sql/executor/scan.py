"""Operators that read a table: all of it, a range of one of its paths, or the rows with given values there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

from mynode.mvcc.transaction import Item, Transaction
from mynode.relation.keys import ABOVE
from mynode.relation.paths import AccessPath, Bound, KeyLimits
from mynode.relation.rows import TableRows
from mynode.sql.executor.context import ROWS_PER_STEP, Batches, ExecutionContext
from mynode.values.types import Row

Limits: TypeAlias = Callable[[ExecutionContext], KeyLimits]

_FIRST_STEP: Final = 16
"""Rows of the first batch; each is twice as large as the one before it, so that a LIMIT reads little in vain."""


def scan(rows: TableRows, path: AccessPath | None, limits: Limits, *, reverse: bool, with_key: bool) -> Batches:
    """The rows between two keys of a path (None: of the table), in its order or in reverse.

    With the row's key as one more value if it is wanted.
    """
    read = Transaction.scan if path is None else path.rows

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        low, high = limits(context)
        if low < high:
            yield from _batches(rows, read(context.transaction, low, high, reverse=reverse), with_key=with_key)

    return run


def _batches(rows: TableRows, items: Iterator[Item], *, with_key: bool) -> Iterator[list[Row]]:
    decode = rows.decode
    step = _FIRST_STEP
    while True:
        if with_key:
            batch = [_with_key(decode(record), key) for key, record in islice(items, step)]
        else:
            batch = [decode(record) for _, record in islice(items, step)]
        yield batch
        if len(batch) < step:
            return
        step = min(step * 2, ROWS_PER_STEP)


def _with_key(row: Row, key: bytes) -> Row:
    return (*row, key)


def whole(limits: KeyLimits) -> Limits:
    return lambda _: limits


def key_range(
    path: AccessPath,
    values: Callable[[ExecutionContext], Row],
    prefix_length: int,
    low: bool | None,
    high: bool | None,
) -> Limits:
    """The limits of a range of a path.

    Args:
        values: the prefix, then the low bound, then the high bound, where there is one.
        low, high: whether the bound is inclusive; None if there is none.
    """
    encode = path.encoder()
    column = path.columns[prefix_length]

    def limits(context: ExecutionContext) -> KeyLimits:
        found = values(context)
        if None in found:
            return b"", b""
        bounds = iter(found[prefix_length:])
        return path.between(
            encode(found[:prefix_length]),
            column,
            None if low is None else Bound(next(bounds), low),
            None if high is None else Bound(next(bounds), high),
        )

    return limits


def key_points(
    rows: TableRows,
    path: AccessPath,
    keys: Callable[[ExecutionContext], Sequence[Row]],
    width: int,
    *,
    reverse: bool,
    with_key: bool,
) -> Batches:
    """The rows whose first `width` columns of the path have one of these combinations of values, in its order."""
    encode = rows.encode_key if path.is_primary else path.encoder()

    def wanted(context: ExecutionContext) -> list[bytes]:
        found = [encode(key) for key in keys(context) if None not in key]
        return found if len(found) <= 1 else sorted(set(found), reverse=reverse)

    if path.is_unique and width == len(path.columns):
        return _single_rows(rows, path, wanted, with_key=with_key)

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        for prefix in wanted(context):
            items = path.rows(context.transaction, prefix, prefix + ABOVE, reverse=reverse)
            yield from _batches(rows, items, with_key=with_key)

    return run


def _single_rows(
    rows: TableRows, path: AccessPath, wanted: Callable[[ExecutionContext], list[bytes]], *, with_key: bool
) -> Batches:
    """At most one row for each key."""
    decode = rows.decode

    def by_primary_key(transaction: Transaction, keys: Sequence[bytes]) -> list[Row]:
        get = transaction.get
        found: list[Row] = []
        for key in keys:
            record = get(key)
            if record is not None:
                row = decode(record)
                found.append(_with_key(row, key) if with_key else row)
        return found

    def by_index(transaction: Transaction, keys: Sequence[bytes]) -> list[Row]:
        items = [item for key in keys if (item := path.find(transaction, key)) is not None]
        return [_with_key(decode(record), key) if with_key else decode(record) for key, record in items]

    find = by_primary_key if path.is_primary else by_index

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        keys = wanted(context)
        for start in range(0, len(keys), ROWS_PER_STEP):
            yield find(context.transaction, keys[start : start + ROWS_PER_STEP])

    return run
