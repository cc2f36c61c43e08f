"""FROM: from table references to the node that gives their rows, and the scope of what they are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mynode.base.sql_errors import (
    AmbiguousColumnError,
    DuplicateAliasError,
    DuplicateColumnError,
    FeatureNotSupportedError,
    InvalidColumnReferenceError,
    UndefinedColumnError,
)
from mynode.relation.schema import ViewUse
from mynode.sql import ast, plan
from mynode.sql.binder import Binder
from mynode.sql.expressions import Coalesce, ColumnValue, Expression, PlanColumn, as_outer, conjunction, is_nullable
from mynode.sql.information_schema import virtual_table
from mynode.sql.names import VIRTUAL_SCHEMAS, TableNames
from mynode.sql.scope import ColumnIds, Scope, Source
from mynode.sql.subqueries import Pending, applied
from mynode.values.types import UNKNOWN


@dataclass(frozen=True, slots=True)
class Rows:
    """Something to select from."""

    node: plan.QueryNode
    scope: Scope


class FromPlanner:
    """Plans table references.

    Args:
        find_query: the plan of the query that a table's name stands for, if it is not a table's.
        plan_query: plans the query of a derived table.
        binder_of: makes the binder of a join's condition.
    """

    __slots__ = ("_binder_of", "_find_query", "_ids", "_plan_query", "_tables")

    def __init__(
        self,
        tables: TableNames,
        ids: ColumnIds,
        find_query: Callable[[ast.TableName], plan.QueryNode | None],
        plan_query: Callable[[ast.Query], plan.QueryNode],
        binder_of: Callable[[Scope, str], Binder],
    ) -> None:
        self._tables = tables
        self._ids = ids
        self._find_query = find_query
        self._plan_query = plan_query
        self._binder_of = binder_of

    def rows(self, references: Sequence[ast.TableReference]) -> Rows:
        """All references together, those parted by commas as cross joins; without any, one row of no columns."""
        if not references:
            return Rows(plan.ValueRows(((),), ()), Scope())
        found = self._reference(references[0])
        for reference in references[1:]:
            right = self._reference(reference)
            scope = side_by_side(found.scope, right.scope, reference.position)
            found = Rows(plan.Join(plan.JoinKind.INNER, found.node, right.node, None), scope)
        return found

    def _reference(self, reference: ast.TableReference) -> Rows:
        match reference:
            case ast.NamedTable():
                return self._named(reference)
            case ast.DerivedTable():
                name = reference.alias or "unnamed_subquery"
                return _called(self._plan_query(reference.query), name, reference)
            case ast.Join():
                return self._join(reference)

    def _named(self, reference: ast.NamedTable) -> Rows:
        name = reference.alias or reference.table.name
        query = None if reference.table.schema in VIRTUAL_SCHEMAS else self._find_query(reference.table)
        if query is None:
            query = virtual_table(reference.table, self._tables.catalog, self._ids)
        if query is not None:
            return _called(query, name, reference)
        table = self._tables.find(reference.table)
        scan = plan.Scan(table, self._ids.of_table(table, name))
        bound = self._tables.bound(reference.table)
        if bound is None:
            return _called(scan, name, reference)
        return Rows(scan, Scope((Source(name, self._as_bound(scan, bound, name, reference)),)))

    def _as_bound(
        self, scan: plan.Scan, bound: ViewUse, name: str, reference: ast.NamedTable
    ) -> tuple[PlanColumn, ...]:
        """The columns that a view's query sees, by its names for them. It uses none of those that are dropped."""
        there = {known.slot: column for known, column in zip(scan.table.columns, scan.columns, strict=True)}
        seen = [
            replace(there.get(slot) or self._ids.column("", UNKNOWN, nullable=True), name=written)
            for written, slot in bound.columns
        ]
        return tuple(column for column in called(seen, name, reference.columns) if column in scan.columns)

    # --- joins --------------------------------------------------------------------------------------------------------

    def _join(self, join: ast.Join) -> Rows:
        left, right = self._reference(join.left), self._reference(join.right)
        both = side_by_side(left.scope, right.scope, join.position)
        scope = Scope(
            (
                *_outer(left.scope.sources, join.kind in (ast.JoinKind.RIGHT, ast.JoinKind.FULL)),
                *_outer(right.scope.sources, join.kind in (ast.JoinKind.LEFT, ast.JoinKind.FULL)),
            )
        )
        names = _common_names(join, left.scope, right.scope)
        if names:
            return self._joined_by_name(join, left, right, scope, names)
        visible = {column: column for column in scope.columns()}
        scope = replace(scope, visible=tuple(visible.get(column, column) for column in both.columns()))
        if join.on is None:
            return Rows(_join_node(join.kind, left.node, right.node, None), scope)
        binder = self._binder_of(both, "JOIN conditions")
        condition = binder.condition(join.on, "JOIN/ON")
        pending = binder.take_pending()
        if pending:
            return Rows(_join_with_subqueries(join, left.node, right.node, condition, pending), scope)
        return Rows(_join_node(join.kind, left.node, right.node, condition), scope)

    def _joined_by_name(
        self, join: ast.Join, left: Rows, right: Rows, scope: Scope, names: Sequence[ast.Identifier]
    ) -> Rows:
        """The columns of these names are seen once, before all others."""
        binder = self._binder_of(Scope(), "JOIN conditions")
        conditions: list[Expression] = []
        values: list[Expression] = []
        hidden: set[PlanColumn] = set()
        joined = {column: column for source in scope.sources for column in source.columns}
        for name in names:
            sides = [_side_column(name, left.scope, "left"), _side_column(name, right.scope, "right")]
            hidden.update(sides)
            pair = [ColumnValue(joined.get(side, side)) for side in sides]
            conditions.append(binder.equality(ColumnValue(sides[0]), ColumnValue(sides[1]), name.position))
            values.append(_merged(join.kind, *binder.as_compared(pair[0], pair[1], name.position)))
        node = _join_node(join.kind, left.node, right.node, conjunction(tuple(conditions)))
        merged: list[PlanColumn] = []
        computed: list[Expression] = []
        for name, value in zip(names, values, strict=True):
            if isinstance(value, ColumnValue):
                merged.append(value.column)
                continue
            merged.append(self._ids.column(name.name, value.type, nullable=is_nullable(value)))
            computed.append(value)
        if computed:
            new = tuple(column for column, value in zip(merged, values, strict=True) if value in computed)
            passed = tuple(ColumnValue(column) for column in node.columns)
            node = plan.Project(node, (*passed, *computed), (*node.columns, *new))
        rest = [column for column in (*left.scope.columns(), *right.scope.columns()) if column not in hidden]
        visible = (*merged, *(joined.get(column, column) for column in rest))
        return Rows(node, replace(scope, visible=visible))


def _called(node: plan.QueryNode, name: str, reference: ast.NamedTable | ast.DerivedTable) -> Rows:
    """The rows under a name, their first columns renamed as the reference says."""
    return Rows(node, Scope((Source(name, called(node.columns, name, reference.columns)),)))


def called(columns: Sequence[PlanColumn], name: str, names: Sequence[ast.Identifier]) -> tuple[PlanColumn, ...]:
    """The columns of something under its name, the first ones with names of their own.

    Raises `InvalidColumnReferenceError`.
    """
    if len(names) > len(columns):
        raise InvalidColumnReferenceError(
            f'table "{name}" has {len(columns)} columns available but {len(names)} columns specified',
            position=names[len(columns)].position,
        )
    new_names = [identifier.name for identifier in names]
    new_names += [column.name for column in columns[len(names) :]]
    return tuple(replace(column, name=new, source=name) for column, new in zip(columns, new_names, strict=True))


def side_by_side(left: Scope, right: Scope, position: int) -> Scope:
    """Both in sight at once. Raises `DuplicateAliasError`."""
    names = {source.name for source in left.sources}
    for source in right.sources:
        if source.name in names:
            raise DuplicateAliasError(f'table name "{source.name}" specified more than once', position=position)
    return Scope((*left.sources, *right.sources), (*left.columns(), *right.columns()))


def _outer(sources: Sequence[Source], is_outer: bool) -> Sequence[Source]:
    """The sources, their columns made nullable if rows of NULLs can stand for theirs."""
    if not is_outer:
        return sources
    return [
        replace(source, columns=tuple(replace(column, nullable=True) for column in source.columns))
        for source in sources
    ]


def _join_node(
    kind: ast.JoinKind, left: plan.QueryNode, right: plan.QueryNode, condition: Expression | None
) -> plan.QueryNode:
    match kind:
        case ast.JoinKind.RIGHT:
            return plan.Join(plan.JoinKind.LEFT, right, left, condition)
        case ast.JoinKind.LEFT:
            return plan.Join(plan.JoinKind.LEFT, left, right, condition)
        case ast.JoinKind.FULL:
            return plan.Join(plan.JoinKind.FULL, left, right, condition)
    return plan.Join(plan.JoinKind.INNER, left, right, condition)


def _join_with_subqueries(
    join: ast.Join, left: plan.QueryNode, right: plan.QueryNode, condition: Expression, pending: Sequence[Pending]
) -> plan.QueryNode:
    """A join whose condition rests on sub-queries, which are answered before it where they rest on one side alone.

    Raises `FeatureNotSupportedError` for one of a FULL join that rests on both.
    """
    if join.kind in (ast.JoinKind.INNER, ast.JoinKind.CROSS):
        pairs = plan.Join(plan.JoinKind.INNER, left, right, None)
        return plan.Filter(applied(pairs, pending), condition)
    if join.kind is ast.JoinKind.RIGHT:
        left, right = right, left
    kind = plan.JoinKind.FULL if join.kind is ast.JoinKind.FULL else plan.JoinKind.LEFT
    while pending:
        needed = pending[0].needs()
        if not needed & set(left.columns):
            right = applied(right, pending[:1])
        elif not needed & set(right.columns):
            left = applied(left, pending[:1])
        else:
            break
        pending = pending[1:]
    if not pending:
        return plan.Join(kind, left, right, condition)
    if kind is plan.JoinKind.FULL:
        raise FeatureNotSupportedError(
            "a sub-query in a FULL JOIN condition can use columns of one side only", position=join.position
        )
    known = frozenset(left.columns)
    own = applied(right, [one.with_operands(lambda operand: as_outer(operand, known)) for one in pending])
    return plan.LookupJoin(kind, left, plan.Filter(own, as_outer(condition, known)))


def _common_names(join: ast.Join, left: Scope, right: Scope) -> Sequence[ast.Identifier]:
    if not join.natural:
        _check_using(join.using)
        return join.using
    names = dict.fromkeys(column.name for column in left.columns())
    return [ast.Identifier(name, join.position) for name in names if right.has(name)]


def _check_using(names: Sequence[ast.Identifier]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.name in seen:
            raise DuplicateColumnError(
                f'column name "{name.name}" appears more than once in USING clause', position=name.position
            )
        seen.add(name.name)


def _side_column(name: ast.Identifier, scope: Scope, side: str) -> PlanColumn:
    found = [column for column in scope.columns() if column.name == name.name]
    if len(found) > 1:
        raise AmbiguousColumnError(
            f'common column name "{name.name}" appears more than once in {side} table', position=name.position
        )
    if not found:
        raise UndefinedColumnError(
            f'column "{name.name}" specified in USING clause does not exist in {side} table', position=name.position
        )
    return found[0]


def _merged(kind: ast.JoinKind, left: Expression, right: Expression) -> Expression:
    if kind is ast.JoinKind.FULL:
        return Coalesce((left, right), left.type)
    return right if kind is ast.JoinKind.RIGHT else left
