"""Sub-queries that are run for the rows of their query, or once if they do not depend on them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, TypeAlias

from mynode.base.limits import KEPT_ANSWERS
from mynode.base.sql_errors import CardinalityError, SqlError
from mynode.sql.compiler import Deferred, RowsFunction, canonical
from mynode.sql.executor.context import ROWS_PER_STEP, Batches, ExecutionContext
from mynode.sql.executor.pace import LONG_S
from mynode.sql.functions.function import Implementation
from mynode.values.types import Row, Value

Conclude: TypeAlias = Callable[[Any, Row], Any]
"""From what was made of a sub-query's rows, and the operands if there are some, to the answer."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How a question is answered.

    Attributes:
        most: more rows than this make no difference; None: all count.
        digest: what is kept of the rows.
        conclude: from what is kept to the answer.
        operands: what `conclude` compares it with, computed from a batch of the input's rows.
    """

    most: int | None
    digest: Callable[[list[Row]], Any]
    conclude: Conclude
    operands: RowsFunction | None = None


def only_value() -> Asking:
    """The answer raises `CardinalityError` if there are two rows."""
    return Asking(2, lambda rows: None if (row := _only(rows)) is None else row[0], lambda value, _: value)


def only_row() -> Asking:
    """The answer raises `CardinalityError` if there are two rows."""
    return Asking(2, _only, lambda row, _: row)


def _only(rows: list[Row]) -> Row | None:
    if len(rows) > 1:
        raise CardinalityError("more than one row returned by a subquery used as an expression")
    return rows[0] if rows else None


def any_row() -> Asking:
    return Asking(1, bool, lambda found, _: found)


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of a sub-query's rows but NULL, each once if they are a set."""

    known: set[Value] | list[Value]
    has_null: bool


def member(operand: RowsFunction) -> Asking:
    """Whether the operand equals any value."""

    def digest(rows: list[Row]) -> _Values:
        known = {canonical(row[0]) for row in rows}
        has_null = None in known
        known.discard(None)
        return _Values(known, has_null)

    def conclude(values: _Values, operands: Row) -> bool | None:
        (operand,) = operands
        if operand is None:
            return None if values.known or values.has_null else False
        return canonical(operand) in values.known or (None if values.has_null else False)

    return Asking(None, digest, conclude, operand)


def member_row(operands: RowsFunction) -> Asking:
    """Whether the operands equal the values of any row, each its own."""

    def digest(rows: list[Row]) -> tuple[set[Row], list[Row]]:
        """The rows without NULL, and those with one."""
        known = {tuple(map(canonical, row)) for row in rows}
        partial = [row for row in known if None in row]
        return known.difference(partial), partial

    def conclude(found: tuple[set[Row], list[Row]], operands: Row) -> bool | None:
        known, partial = found
        row = tuple(map(canonical, operands))
        if row in known:
            return True
        perhaps = [*partial, *known] if None in row else partial
        return None if any(_may_equal(row, one) for one in perhaps) else False

    return Asking(None, digest, conclude, operands)


def _may_equal(left: Row, right: Row) -> bool:
    return all(one is None or other is None or one == other for one, other in zip(left, right, strict=True))


def any_match(operand: RowsFunction, compare: Implementation) -> Asking:
    """Whether the comparison with any value is TRUE."""

    def digest(rows: list[Row]) -> _Values:
        known: list[Value] = [row[0] for row in rows if row[0] is not None]
        return _Values(known, len(known) < len(rows))

    def conclude(values: _Values, operands: Row) -> bool | None:
        (operand,) = operands
        if operand is None:
            return None if values.known or values.has_null else False
        return any(compare(operand, value) for value in values.known) or (None if values.has_null else False)

    return Asking(None, digest, conclude, operand)


@dataclass(frozen=True, slots=True)
class Bindings:
    """What a sub-query takes from outside.

    Attributes:
        from_row: the ids of the input's columns that it uses, each with its place in the row.
        from_outside: the ids of columns that are bound farther out already.
        repeatable: rows with the same values of these columns have the same answer.
    """

    from_row: tuple[tuple[int, int], ...]
    from_outside: tuple[int, ...]
    repeatable: bool


class _Answers:
    """The digests of one sub-query's rows in one execution, by the outer values that they were found for."""

    __slots__ = ("_by_key", "_held_bytes", "_most")

    def __init__(self, most: int) -> None:
        self._by_key: dict[Row, Any] = {}
        self._held_bytes = 0
        self._most = most

    def get(self, key: Row) -> Any:
        return self._by_key.get(key, _MISSING)

    def put(self, key: Row, digest: object, rows: Sequence[Row], context: ExecutionContext) -> None:
        if len(self._by_key) >= self._most:
            self._by_key.clear()
            context.memory.release(self._held_bytes)
            self._held_bytes = 0
        self._held_bytes += context.memory.keep(rows)
        self._by_key[key] = digest


_MISSING: Final = object()


def applied(source: Batches, subquery: Batches, asking: Asking, bindings: Bindings, *, deferred: bool) -> Batches:
    """Each row of the source with the sub-query's answer as one more value.

    With `deferred` an error of the sub-query becomes the value, for the case that nobody uses it.
    """
    token = object()
    most_kept = KEPT_ANSWERS if asking.most is not None else 1

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        answers = context.kept.setdefault(token, _Answers(most_kept))
        for batch in source(context):
            made: list[Row] = []
            examined, began_s = 0, perf_counter()
            for row in batch:
                try:
                    operands = () if asking.operands is None else asking.operands([row], context)[0]
                    key = _bind(row, bindings, context)
                    digest = answers.get(key)
                    if digest is _MISSING:
                        found, examined = yield from _found(row, subquery, asking.most, bindings, examined, context)
                        digest = asking.digest(found)
                        if bindings.repeatable:
                            answers.put(key, digest, found, context)
                    answer: Any = asking.conclude(digest, operands)
                except SqlError as error:
                    if not deferred:
                        raise
                    answer = Deferred(error)
                made.append((*row, answer))
                if perf_counter() - began_s > LONG_S:
                    yield made
                    made, began_s = [], perf_counter()
            yield made

    return run


def _bind(row: Row, bindings: Bindings, context: ExecutionContext) -> Row:
    """Makes the row's values known to the sub-query; returns all the values that it rests on."""
    outer = context.outer
    for column_id, place in bindings.from_row:
        outer[column_id] = row[place]
    return (*[row[place] for _, place in bindings.from_row], *[outer[one] for one in bindings.from_outside])


def _found(
    row: Row, subquery: Batches, most: int | None, bindings: Bindings, examined: int, context: ExecutionContext
) -> Generator[list[Row], None, tuple[list[Row], int]]:
    """The sub-query's rows for a row that is bound, and how many rows were examined since the last pause.

    Nobody counts the rows that a batch was found among, so time counts as well.
    """
    found: list[Row] = []
    began_s = perf_counter()
    with context.memory.holder() as hold:
        for batch in subquery(context):
            hold(batch)
            found += batch
            examined += len(batch) + 1
            if most is not None and len(found) >= most:
                break
            if examined >= ROWS_PER_STEP or perf_counter() - began_s > LONG_S:
                yield []
                examined, began_s = 0, perf_counter()
                _bind(row, bindings, context)  # others may have bound theirs meanwhile
    return found, examined
