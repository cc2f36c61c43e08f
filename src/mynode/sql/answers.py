"""The sub-queries of the expressions that one binder binds, and the columns that stand for their answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import contextmanager

from mynode.sql import plan
from mynode.sql.expressions import ColumnValue, Expression
from mynode.sql.plan_parts import is_volatile_plan, outer_columns
from mynode.sql.scope import ColumnIds
from mynode.sql.subqueries import Pending
from mynode.values.types import SqlType


class Answers:
    """Gives each sub-query the column that its answer will be in.

    What is written the same again means the same, so that it can be in the select list what it is in GROUP BY.
    """

    __slots__ = ("_conditional", "_ids", "_known", "_pending")

    def __init__(self, ids: ColumnIds) -> None:
        self._ids = ids
        self._pending: list[Pending] = []
        self._known: dict[Hashable, Expression] = {}
        self._conditional = False

    def share(self, other: Answers) -> None:
        """From here on what one of both knows the other knows too."""
        self._known = other._known

    def keep(self, kept: Collection[Expression]) -> None:
        """From here on all other sub-queries are asked again."""
        self._known = {key: answer for key, answer in self._known.items() if answer in kept}

    def take_pending(self) -> list[Pending]:
        """The sub-queries asked since the last call, in the order in which they must be applied."""
        pending, self._pending = self._pending, []
        return pending

    def once(self, key: Hashable, ask: Callable[[], Expression]) -> Expression:
        """What `ask` makes, which is what it made for an equal key, unless a sub-query differs from time to time."""
        found = self._known.get(key)
        if found is None:
            found = ask()
            if not any(is_volatile_plan(one.subquery) for one in self._pending):
                self._known[key] = found
        return found

    def answer(
        self,
        subquery: plan.QueryNode,
        question: plan.Question,
        around: tuple[str, str],
        type_: SqlType,
        *,
        nullable: bool,
    ) -> ColumnValue:
        """The column with the sub-query's answer. `around`: what EXPLAIN shows before and after the sub-query there."""
        name = self._ids.subquery_name(runs_once=not outer_columns(subquery))
        text = name.join(around)
        column = self._ids.column(text, type_, nullable=nullable, source=name, deferred=self._conditional)
        self._pending.append(Pending(subquery, question, column))
        return ColumnValue(column)

    @contextmanager
    def perhaps(self) -> Iterator[None]:
        """What is asked in this block is evaluated for some rows only: its errors count only there."""
        before, self._conditional = self._conditional, True
        try:
            yield
        finally:
            self._conditional = before
