"""UNION ALL, INTERSECT ALL and EXCEPT ALL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mynode.sql.compiler import RowsFunction
from mynode.sql.executor.context import Batches, ExecutionContext
from mynode.sql.executor.pace import let_go
from mynode.values.types import Row


def appended(left: Batches, right: Batches) -> Batches:
    """The rows of the left side, then those of the right."""

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        yield from left(context)
        yield from right(context)

    return run


def matched(left: Batches, right: Batches, left_key: RowsFunction, right_key: RowsFunction, *, keep: bool) -> Batches:
    """The rows of the left side that have a partner of their own on the right; without `keep`, those that have none."""

    def run(context: ExecutionContext) -> Iterator[list[Row]]:
        partners: Counter[Row] = Counter()
        with context.memory.holder() as hold:
            for batch in right(context):
                keys = right_key(batch, context)
                hold([key for key in keys if key not in partners])
                partners.update(keys)
                yield []
            for batch in left(context):
                made: list[Row] = []
                for key, row in zip(left_key(batch, context), batch, strict=True):
                    has_partner = partners[key] > 0 if key in partners else False
                    if has_partner:
                        partners[key] -= 1
                    if has_partner is keep:
                        made.append(row)
                yield made
            yield from let_go(partners)

    return run
