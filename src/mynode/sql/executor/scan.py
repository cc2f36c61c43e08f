"""Operators that read a table: all of it, a range of one of its paths, or the rows with given values there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from mynode.mvcc.transaction import Transaction, runs_of
from mynode.relation.keys import ABOVE
from mynode.relation.paths import AccessPath, Bound, KeyLimits
from mynode.relation.rows import TableRows
from mynode.sql.executor.context import ROWS_PER_STEP, Batches, ExecutionContext, RowsOf
from mynode.values.types import Row

Limits: TypeAlias = Callable[[ExecutionContext], KeyLimits]
Keys: TypeAlias = Callable[[ExecutionContext], Sequence[Row]]

_FIRST_STEP: Final = 16
"""Rows of the first batch; each is twice as large as the one before it, so that a LIMIT reads little in vain."""


@dataclass(frozen=True, slots=True)
class Given:
    """How rows are given out.

    Attributes:
        reverse: in the reverse of the path's order.
        with_key: with the row's key as one more value.
        bare: without values, so that an index need not lead to its rows.
    """

    reverse: bool
    with_key: bool
    bare: bool


def scan(rows: TableRows, path: AccessPath | None, limits: Limits, give: Given) -> Batches:
    """The rows between two keys of a path (None: of the table), in its order or in reverse."""

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        low, high = limits(context)
        if low < high:
            yield from _between(rows, path, low, high, give, context.transaction)

    return run


def _between(
    rows: TableRows, path: AccessPath | None, low: bytes, high: bytes, give: Given, transaction: Transaction
) -> Iterator[list[Row]]:
    if path is None or path.is_primary or give.bare:
        runs = transaction.scan_runs(low, high, reverse=give.reverse, first=_FIRST_STEP, longest=ROWS_PER_STEP)
    else:
        runs = runs_of(path.rows(transaction, low, high, reverse=give.reverse), _FIRST_STEP, ROWS_PER_STEP)
    decode_all = rows.decode_all
    for keys, records in runs:
        batch = decode_all(records)
        yield [(*row, key) for row, key in zip(batch, keys, strict=True)] if give.with_key else batch


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
    keys: Keys,
    width: int,
    null_places: Sequence[int],
    give: Given,
) -> Batches:
    """The rows whose first `width` columns of the path have one of these combinations of values, in its order.

    A NULL equals none, but in the `null_places` it is looked for.
    """
    wanted = _wanted(rows, path, keys, width, null_places, give)
    if path.is_unique and width == len(path.columns) and not null_places:
        return _single_rows(_finder(rows, path, give), wanted)

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        for prefix in wanted(context):
            yield from _between(rows, path, prefix, prefix + ABOVE, give, context.transaction)

    return run


def row_at(rows: TableRows, path: AccessPath, key: Keys, give: Given) -> RowsOf:
    """The row with the one key of a unique path, if there is one, without batches."""
    wanted, find = _wanted(rows, path, key, len(path.columns), (), give), _finder(rows, path, give)
    return lambda context: find(context.transaction, wanted(context))


def _wanted(
    rows: TableRows, path: AccessPath, keys: Keys, width: int, null_places: Sequence[int], give: Given
) -> Callable[[ExecutionContext], list[bytes]]:
    encode = rows.encode_key if path.is_primary else path.encoder()
    compared = [place for place in range(width) if place not in null_places]

    def wanted(context: ExecutionContext) -> list[bytes]:
        if null_places:
            found = [encode(key) for key in keys(context) if None not in [key[place] for place in compared]]
        else:
            found = [encode(key) for key in keys(context) if None not in key]
        return found if len(found) <= 1 else sorted(set(found), reverse=give.reverse)

    return wanted


def _finder(rows: TableRows, path: AccessPath, give: Given) -> Callable[[Transaction, Sequence[bytes]], list[Row]]:
    """From full keys of a unique path to the rows that there are, at most one each."""
    decode, with_key = rows.decode, give.with_key

    def by_primary_key(transaction: Transaction, keys: Sequence[bytes]) -> list[Row]:
        get = transaction.get
        found: list[Row] = []
        for key in keys:
            record = get(key)
            if record is not None:
                row = decode(record)
                found.append((*row, key) if with_key else row)
        return found

    def by_index(transaction: Transaction, keys: Sequence[bytes]) -> list[Row]:
        items = [item for key in keys if (item := path.find(transaction, key)) is not None]
        return [(*decode(record), key) if with_key else decode(record) for key, record in items]

    return by_primary_key if path.is_primary else by_index


def _single_rows(
    find: Callable[[Transaction, Sequence[bytes]], list[Row]], wanted: Callable[[ExecutionContext], list[bytes]]
) -> Batches:
    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        keys = wanted(context)
        for start in range(0, len(keys), ROWS_PER_STEP):
            yield find(context.transaction, keys[start : start + ROWS_PER_STEP])

    return run
