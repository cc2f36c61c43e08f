"""Operators that read a table: all of it, a range of its primary key, or the rows with given keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias, cast

from mynode.relation.keys import ABOVE
from mynode.relation.rows import TableRows
from mynode.sql.executor.context import ROWS_PER_STEP, Batches, ExecutionContext
from mynode.values.key_codec import encode_value
from mynode.values.types import Row

KeyLimits: TypeAlias = tuple[bytes, bytes]
"""low <= key < high"""

_FIRST_STEP: Final = 16
"""Rows of the first batch; each is twice as large as the one before it, so that a LIMIT reads little in vain."""


def scan(rows: TableRows, limits: Callable[[ExecutionContext], KeyLimits], *, reverse: bool, with_key: bool) -> Batches:
    """The rows between two keys, in key order or in reverse; with the key as one more value if it is wanted."""
    decode = rows.decode

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        low, high = limits(context)
        if low >= high:
            return
        items = context.transaction.scan(low, high, reverse=reverse)
        step = _FIRST_STEP
        while True:
            if with_key:
                batch = [cast(Row, (*decode(record), key)) for key, record in islice(items, step)]
            else:
                batch = [decode(record) for _, record in islice(items, step)]
            yield batch
            if len(batch) < step:
                return
            step = min(step * 2, ROWS_PER_STEP)

    return run


def whole_table(rows: TableRows) -> Callable[[ExecutionContext], KeyLimits]:
    limits = (rows.low, rows.high)
    return lambda _: limits


def key_range(
    rows: TableRows, values: Callable[[ExecutionContext], Row], prefix_length: int, low: bool | None, high: bool | None
) -> Callable[[ExecutionContext], KeyLimits]:
    """The limits of a range of the primary key.

    Args:
        values: the prefix, then the low bound, then the high bound, where there is one.
        low, high: whether the bound is inclusive; None if there is none.
    """

    def limits(context: ExecutionContext) -> KeyLimits:
        found = values(context)
        if None in found:
            return rows.low, rows.low
        prefix = rows.encode_key(found[:prefix_length]) if prefix_length else rows.low
        bounds = iter(found[prefix_length:])
        start, end = prefix, prefix + ABOVE
        if low is not None:
            start = prefix + encode_value(next(bounds)) + (b"" if low else ABOVE)
        if high is not None:
            end = prefix + encode_value(next(bounds)) + (ABOVE if high else b"")
        return start, end

    return limits


def key_points(
    rows: TableRows, keys: Callable[[ExecutionContext], Sequence[Row]], *, reverse: bool, with_key: bool
) -> Batches:
    """The rows with these primary keys, in key order or in reverse."""
    decode = rows.decode

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        wanted = [rows.encode_key(key) for key in keys(context) if None not in key]
        if len(wanted) > 1:
            wanted = sorted(set(wanted), reverse=reverse)
        get = context.transaction.get
        for start in range(0, len(wanted), ROWS_PER_STEP):
            found: list[Row] = []
            for key in wanted[start : start + ROWS_PER_STEP]:
                record = get(key)
                if record is not None:
                    row = decode(record)
                    found.append(cast(Row, (*row, key)) if with_key else row)
            yield found

    return run
