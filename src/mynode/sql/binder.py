"""The binder: from an expression of the syntax tree to a bound one, every name resolved and every type known."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, TypeAlias, assert_never

from mynode.base.sql_errors import (
    CannotCoerceError,
    DatatypeMismatchError,
    FeatureNotSupportedError,
    GroupingError,
    NumericOutOfRangeError,
    SqlSyntaxError,
    UndefinedFunctionError,
    WrongObjectTypeError,
)
from mynode.sql import ast, plan
from mynode.sql.aggregate_calls import aggregate_call
from mynode.sql.answers import Answers
from mynode.sql.coercion import coerce
from mynode.sql.expression_text import describe_list
from mynode.sql.expressions import (
    AggregateCall,
    And,
    Call,
    Case,
    CaseValue,
    Coalesce,
    ColumnValue,
    Constant,
    Expression,
    IsNull,
    IsTruth,
    Not,
    Or,
    OuterValue,
    ParameterValue,
    PlanColumn,
    children,
    columns_in,
    is_nullable,
    substitute,
    walk,
    with_children,
)
from mynode.sql.functions.conditional import GREATEST, LEAST, NULLIF
from mynode.sql.functions.records import entry_of
from mynode.sql.functions.registry import is_aggregate, is_function
from mynode.sql.names import resolve_type
from mynode.sql.parameters import ParameterTypes
from mynode.sql.predicates import between, in_list, is_distinct, like, negated
from mynode.sql.row_values import compared_rows, distinct_rows, null_row
from mynode.sql.scope import ColumnIds, Scope
from mynode.sql.subqueries import Pending
from mynode.sql.typed_calls import TypedCalls
from mynode.values.casts import CastLevel
from mynode.values.text import check_text
from mynode.values.types import (
    BOOLEAN,
    BPCHAR,
    BYTEA,
    INTEGER,
    MAX_INTEGER,
    NUMERIC,
    RECORD,
    TEXT,
    UNKNOWN,
    SqlType,
)

PlanQuery: TypeAlias = "Callable[[ast.Query, Binder], plan.QueryNode]"
SubqueryNode: TypeAlias = ast.ScalarSubquery | ast.Exists | ast.InSubquery | ast.QuantifiedComparison

_CASTS: Final = (
    *("bool", "bytea", "date", "float4", "float8", "int2", "int4", "int8"),
    *("numeric", "text", "timestamptz", "uuid", "varchar"),
)
"""The names of types that are called like functions too: `date(x)` is `x::date`."""
_NEGATED: Final = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


class Binder:
    """Binds the expressions of one place of a statement (a WHERE, a select list, …).

    Attributes:
        bare_columns: the columns used outside of aggregates, with their positions.
        aggregates_in: None if aggregates may stand here, else what this place is called in the error.
        outer_calls: the aggregates of this query that stand in its sub-queries, each with the column by which they call
            it.

    Args:
        plan_query: plans a sub-query, with this binder as its `outer`; None where no sub-query may stand.
        outer: binds what names of a sub-query mean that it does not know itself.
    """

    __slots__ = (
        "_answers",
        "_calls",
        "_ids",
        "_in_aggregate",
        "_outer",
        "_parameters",
        "_plan_query",
        "_scope",
        "aggregates_in",
        "bare_columns",
        "outer_calls",
    )

    def __init__(
        self,
        scope: Scope,
        parameters: ParameterTypes,
        ids: ColumnIds,
        aggregates_in: str | None,
        plan_query: PlanQuery | None = None,
        outer: Binder | None = None,
    ) -> None:
        self._scope = scope
        self._parameters = parameters
        self._calls = TypedCalls(parameters)
        self._ids = ids
        self._in_aggregate = False
        self._plan_query = plan_query
        self._outer = outer
        self._answers = Answers(ids)
        self.aggregates_in = aggregates_in
        self.bare_columns: list[tuple[PlanColumn, int]] = []
        self.outer_calls: dict[Expression, PlanColumn] = {}

    def with_answers_of(self, other: Binder) -> Binder:
        """This binder, for an expression beside those of the other: their sub-queries are asked once for both."""
        self._answers.share(other._answers)
        return self

    def keep_answers(self, kept: Collection[Expression]) -> None:
        """From here on all other sub-queries are asked again."""
        self._answers.keep(kept)

    def take_pending(self) -> list[Pending]:
        """The sub-queries bound since the last call, in the order in which they must be applied."""
        return self._answers.take_pending()

    # --- the dispatcher -----------------------------------------------------------------------------------------------

    def bind(self, node: ast.Expression) -> Expression:
        """The bound expression; its type can still be UNKNOWN (a quoted literal, a parameter, NULL)."""
        match node:
            case ast.NullLiteral():
                return Constant(None, UNKNOWN)
            case ast.BooleanLiteral():
                return Constant(node.value, BOOLEAN)
            case ast.IntegerLiteral():
                return _integer(node.value, node.position)
            case ast.DecimalLiteral():
                return self._calls.coerced(Constant(node.text, UNKNOWN), NUMERIC, CastLevel.IMPLICIT, node.position)
            case ast.StringLiteral():
                return Constant(check_text(node.value), UNKNOWN)
            case ast.BytesLiteral():
                return Constant(node.value, BYTEA)
            case ast.ColumnReference():
                return self._column(node)
            case ast.Parameter():
                return ParameterValue(node.number, self._parameters.use(node.number))
            case ast.Unary():
                return self._unary(node)
            case ast.Binary():
                return self._binary(node)
            case ast.Logical():
                return self._logical(node)
            case ast.IsNull():
                return self._is_null(node)
            case ast.IsTruth():
                return self._is_truth(node)
            case ast.IsDistinct():
                return self._is_distinct(node)
            case ast.Between():
                return self._between(node)
            case ast.InList():
                return self._in_list(node)
            case ast.Like():
                return self._like(node)
            case ast.Case():
                return self._case(node)
            case ast.Cast():
                return self._cast(node)
            case ast.FunctionCall():
                return self._call(node)
            case ast.RowValue():
                raise FeatureNotSupportedError("row values are supported in comparisons only", position=node.position)
            case ast.ScalarSubquery() | ast.Exists() | ast.InSubquery() | ast.QuantifiedComparison():
                return self._answered(node)
        assert_never(node)

    def value(self, node: ast.Expression) -> Expression:
        """The bound expression; what has no type of its own is TEXT."""
        bound = self.bind(node)
        return self._calls.coerced(bound, TEXT, CastLevel.IMPLICIT, 0) if bound.type is UNKNOWN else bound

    def condition(self, node: ast.Expression, construct: str) -> Expression:
        """A bound BOOLEAN, else a `DatatypeMismatchError` that names the construct (as "WHERE")."""
        return self.of_type(node, BOOLEAN, construct, CastLevel.IMPLICIT)

    def of_type(self, node: ast.Expression, wanted: SqlType, construct: str, level: CastLevel) -> Expression:
        """The bound expression, cast to a type as far as the level allows. Raises `DatatypeMismatchError`."""
        bound = self.bind(node)
        coerced = coerce(bound, wanted, level, self._parameters, node.position)
        if coerced is None:
            raise DatatypeMismatchError(
                f"argument of {construct} must be type {wanted}, not type {bound.type}", position=node.position
            )
        return coerced

    def assigned(self, node: ast.Expression, target: SqlType, column_name: str) -> Expression:
        """The bound expression as a value for a column. Raises `DatatypeMismatchError`."""
        return self.assigned_value(self.bind(node), target, column_name, node.position)

    def assigned_value(self, bound: Expression, target: SqlType, column_name: str, position: int) -> Expression:
        """The same of what is bound already."""
        coerced = coerce(bound, target, CastLevel.ASSIGNMENT, self._parameters, position)
        if coerced is None:
            raise assignment_mismatch(column_name, target, bound.type, position)
        return coerced

    def as_compared(self, left: Expression, right: Expression, position: int) -> tuple[Expression, Expression]:
        """Both sides as `=` takes them."""
        left, right, _ = self._calls.compared("=", left, right, position)
        return left, right

    def equality(self, left: Expression, right: Expression, position: int) -> Expression:
        """`left = right`."""
        return self._calls.comparison("=", left, right, position)

    # --- one method a kind of node ------------------------------------------------------------------------------------

    def _column(self, node: ast.ColumnReference) -> Expression:
        found = self._find_column(node)
        if found is None:
            return ColumnValue(self._scope.column(node.table, node.column, node.position))
        return found

    def _find_column(self, node: ast.ColumnReference) -> ColumnValue | OuterValue | None:
        """The column that is meant, of the innermost query that has one of this name."""
        column = self._scope.find(node.table, node.column, node.position)
        if column is not None:
            if not self._in_aggregate:
                self.bare_columns.append((column, node.position))
            return ColumnValue(column)
        if self._outer is None or (node.table is not None and self._scope.has_source(node.table)):
            return None
        found = self._outer._find_column(node)
        return found and OuterValue(found.column)

    def _unary(self, node: ast.Unary) -> Expression:
        if node.operator is ast.UnaryOperator.NOT:
            return Not(self.condition(node.operand, "NOT"))
        if node.operator is ast.UnaryOperator.MINUS and isinstance(node.operand, ast.IntegerLiteral):
            return _integer(-node.operand.value, node.position)
        return self._operator(node.operator.value, (node.operand,), node.position)

    def _binary(self, node: ast.Binary) -> Expression:
        symbol = node.operator.value
        if symbol in _NEGATED and _has_row(node.left, node.right):
            return compared_rows(
                self._calls, symbol, self._entries(node.left), self._entries(node.right), node.position
            )
        return self._operator(symbol, (node.left, node.right), node.position)

    def _operator(self, symbol: str, operands: Sequence[ast.Expression], position: int) -> Expression:
        bound = [self.bind(operand) for operand in operands]
        if symbol == "||":
            bound = [self._as_text(operand, bound, position) for operand in bound]
        return self._calls.operator(symbol, bound, _positions(operands), position)

    def _as_text(self, operand: Expression, operands: Sequence[Expression], position: int) -> Expression:
        """An operand of `||`, whose other side must be text: then this one may be of any type."""
        if not any(other.type in (TEXT, BPCHAR, UNKNOWN) for other in operands):
            return operand
        return self._calls.coerced(operand, TEXT, CastLevel.ASSIGNMENT, position)

    def _logical(self, node: ast.Logical) -> Expression:
        word = node.operator.value
        if node.operator is ast.LogicalOperator.AND:
            return And(tuple(self.condition(operand, word) for operand in node.operands))
        first = self.condition(node.operands[0], word)
        with self._answers.perhaps():
            return Or((first, *(self.condition(operand, word) for operand in node.operands[1:])))

    def _is_truth(self, node: ast.IsTruth) -> Expression:
        words = {True: "TRUE", False: "FALSE", None: "UNKNOWN"}
        operand = self.condition(node.operand, f"IS {'NOT ' if node.negated else ''}{words[node.truth]}")
        test = IsNull(operand) if node.truth is None else IsTruth(operand, node.truth)
        return negated(test, node.negated)

    def _is_null(self, node: ast.IsNull) -> Expression:
        if isinstance(node.operand, ast.RowValue):
            return null_row(self._entries(node.operand), is_negated=node.negated)
        return negated(IsNull(self.bind(node.operand)), node.negated)

    def _is_distinct(self, node: ast.IsDistinct) -> Expression:
        if _has_row(node.left, node.right):
            test = distinct_rows(self._calls, self._entries(node.left), self._entries(node.right), node.position)
            return negated(test, node.negated)
        test = is_distinct(self._calls, self.bind(node.left), self.bind(node.right), node.position)
        return negated(test, node.negated)

    def _between(self, node: ast.Between) -> Expression:
        if _has_row(node.operand, node.low, node.high):
            return self._row_between(node)
        return between(self._calls, node, self.bind(node.operand), self.bind(node.low), self.bind(node.high))

    def _in_list(self, node: ast.InList) -> Expression:
        if _has_row(node.operand, *node.items):
            return self._row_in_list(node)
        return in_list(self._calls, node, self.bind(node.operand), [self.bind(item) for item in node.items])

    def _like(self, node: ast.Like) -> Expression:
        parts = (node.operand, node.pattern, *(() if node.escape is None else (node.escape,)))
        return like(self._calls, node, [self.bind(part) for part in parts], _positions(parts))

    def _case(self, node: ast.Case) -> Expression:
        case_id = self._ids.id()
        operand = None if node.operand is None else self.value(node.operand)
        conditions: list[Expression] = []
        with self._answers.perhaps():
            for branch in node.branches:
                if operand is None:
                    conditions.append(self.condition(branch.condition, "CASE/WHEN"))
                    continue
                wanted = self.bind(branch.condition)
                conditions.append(
                    self._calls.comparison("=", CaseValue(case_id, operand.type), wanted, branch.condition.position)
                )
        otherwise = ast.NullLiteral(node.position) if node.otherwise is None else node.otherwise
        with self._answers.perhaps():
            results, common = self._same_type([*(branch.result for branch in node.branches), otherwise], "CASE", node)
        branches = tuple(zip(conditions, results[:-1], strict=True))
        return Case(operand, case_id, branches, results[-1], common)

    def _cast(self, node: ast.Cast) -> Expression:
        operand, target = self.bind(node.operand), resolve_type(node.type)
        coerced = coerce(operand, target, CastLevel.EXPLICIT, self._parameters, node.operand.position)
        if coerced is None:
            raise CannotCoerceError(f"cannot cast type {operand.type} to {target}", position=node.position)
        return coerced

    def _call(self, node: ast.FunctionCall) -> Expression:
        if is_aggregate(node.name):
            return self._aggregate(node)
        if node.star or node.distinct or node.order_by or node.filter is not None:
            word = "DISTINCT" if node.distinct else "ORDER BY" if node.order_by else "FILTER"
            raise WrongObjectTypeError(
                f"{f'{node.name}(*)' if node.star else word} specified, but {node.name} is not an aggregate function",
                position=node.position,
            )
        match node.name:
            case "coalesce":
                with self._answers.perhaps():
                    operands, common = self._same_type(node.arguments, "COALESCE", node)
                return Coalesce(operands, common)
            case "greatest" | "least":
                operands, common = self._same_type(node.arguments, node.name.upper(), node)
                return Call((GREATEST if node.name == "greatest" else LEAST)[common], operands)
            case "nullif":
                return self._nullif(node)
            case "pg_typeof" if len(node.arguments) == 1:
                return Constant(str(self.bind(node.arguments[0]).type), TEXT)
        if len(node.arguments) == 1 and node.name in _CASTS and not is_function(node.name):
            return self._cast(ast.Cast(node.arguments[0], ast.TypeName(node.name, (), node.position), node.position))
        bound = [self.bind(argument) for argument in node.arguments]
        return self._calls.function(node.name, bound, _positions(node.arguments), node.position)

    def _nullif(self, node: ast.FunctionCall) -> Expression:
        if len(node.arguments) != 2:
            raise UndefinedFunctionError("NULLIF takes two arguments", position=node.position)
        left, right = (self.bind(argument) for argument in node.arguments)
        left, right, _ = self._calls.compared("=", left, right, node.position)
        return Call(NULLIF[left.type], (left, right))

    def _aggregate(self, node: ast.FunctionCall) -> Expression:
        if self._in_aggregate:
            raise GroupingError("aggregate function calls cannot be nested", position=node.position)
        self._in_aggregate = True
        filter_ = None if node.filter is None else self.condition(node.filter, "FILTER")
        arguments = [self.bind(argument) for argument in node.arguments]
        order = [self.value(item.expression) for item in node.order_by]
        self._in_aggregate = False
        return self._own_aggregate(aggregate_call(self._calls, node, arguments, order, filter_), node.position)

    def _own_aggregate(self, call: AggregateCall, position: int) -> Expression:
        """An aggregate of columns that are all of a query farther out belongs to that query, as in standard SQL."""
        outer = {node.column for node in walk(call) if isinstance(node, OuterValue)}
        owner = self
        if outer and not columns_in(call):
            while owner._outer is not None and not outer & owner._scope.all_columns():
                owner = owner._outer
        if owner.aggregates_in is not None:
            raise GroupingError(f"aggregate functions are not allowed in {owner.aggregates_in}", position=position)
        return call if owner is self else OuterValue(owner._called_from_below(call, position))

    def _called_from_below(self, call: AggregateCall, position: int) -> PlanColumn:
        """The column that stands for an aggregate of this query in a sub-query."""
        if self._in_aggregate:
            raise GroupingError("aggregate function calls cannot be nested", position=position)
        own = self._scope.all_columns()

        def as_own(node: Expression) -> Expression | None:
            return ColumnValue(node.column) if isinstance(node, OuterValue) and node.column in own else None

        moved = with_children(call, [substitute(part, as_own) for part in children(call)])
        if moved not in self.outer_calls:
            column = self._ids.column(call.aggregate.name, call.type, nullable=call.aggregate.nullable)
            self.outer_calls[moved] = column
        return self.outer_calls[moved]

    # --- sub-queries --------------------------------------------------------------------------------------------------

    def _answered(self, node: SubqueryNode) -> Expression:
        return self._answers.once((node, self._in_aggregate), lambda: self._asked(node))

    def _asked(self, node: SubqueryNode) -> Expression:
        match node:
            case ast.ScalarSubquery():
                subquery = self._subquery(node.query)
                if len(subquery.columns) != 1:
                    raise SqlSyntaxError("subquery must return only one column", position=node.query.position)
                type_ = subquery.columns[0].type
                return self._answers.answer(subquery, plan.OnlyValue(), ("(", ")"), type_, nullable=True)
            case ast.Exists():
                subquery = self._subquery(node.query)
                return self._answers.answer(subquery, plan.AnyRow(), ("EXISTS(", ")"), BOOLEAN, nullable=False)
            case ast.InSubquery():
                return negated(self._any("=", node.operand, node.query, node.position), node.negated)
            case ast.QuantifiedComparison():
                if node.quantifier is ast.Quantifier.ANY:
                    return self._any(node.operator.value, node.left, node.query, node.position)
                return Not(self._any(_NEGATED[node.operator.value], node.left, node.query, node.position))
        assert_never(node)

    def row_of(self, query: ast.Query) -> tuple[Expression, ...]:
        """The values of the only row of a sub-query, all NULL if there is none."""
        subquery = self._subquery(query)
        row = self._answers.answer(subquery, plan.OnlyRow(), ("(", ")"), RECORD, nullable=True)
        return tuple(Call(entry_of(place, column.type), (row,)) for place, column in enumerate(subquery.columns))

    def _subquery(self, query: ast.Query) -> plan.QueryNode:
        if self._plan_query is None:
            place = (self.aggregates_in or "this place").removesuffix("s")
            raise FeatureNotSupportedError(f"cannot use subquery in {place}", position=query.position)
        return self._plan_query(query, self)

    def _any(self, symbol: str, left: ast.Expression, query: ast.Query, position: int) -> Expression:
        """`left symbol ANY (query)`."""
        entries = left.entries if isinstance(left, ast.RowValue) else (left,)
        if len(entries) > 1 and symbol != "=":
            raise FeatureNotSupportedError("only = ANY and <> ALL of row values are supported", position=position)
        bound = [self.bind(entry) for entry in entries]
        subquery = self._subquery(query)
        if len(subquery.columns) != len(bound):
            many = "many" if len(subquery.columns) > len(bound) else "few"
            raise SqlSyntaxError(f"subquery has too {many} columns", position=query.position)
        compared = [
            self._calls.compared(symbol, operand, ColumnValue(column), position)
            for operand, column in zip(bound, subquery.columns, strict=True)
        ]
        operands, values, compare = zip(*compared, strict=True)
        if values != tuple(map(ColumnValue, subquery.columns)):
            made = tuple(
                self._ids.column(column.name, value.type, nullable=column.nullable)
                for column, value in zip(subquery.columns, values, strict=True)
            )
            subquery = plan.Project(subquery, values, made)
        nullable = any(map(is_nullable, operands)) or any(column.nullable for column in subquery.columns)
        shown = describe_list(operands) if len(operands) == 1 else f"({describe_list(operands)})"
        around = f"({shown} {symbol} ANY (", "))"
        return self._answers.answer(subquery, plan.AnyMatch(operands, compare), around, BOOLEAN, nullable=nullable)

    # --- row values ---------------------------------------------------------------------------------------------------

    def _entries(self, node: ast.Expression) -> Sequence[Expression]:
        """Of an operand beside which a row value stands."""
        match node:
            case ast.RowValue():
                return [self.bind(entry) for entry in node.entries]
            case ast.ScalarSubquery(query):
                return self.row_of(query)
        raise UndefinedFunctionError("a row value can be compared with rows only", position=node.position)

    def _row_between(self, node: ast.Between) -> Expression:
        operand, low, high = (self._entries(one) for one in (node.operand, node.low, node.high))

        def within(low: Sequence[Expression], high: Sequence[Expression]) -> Expression:
            bounds = ((">=", low), ("<=", high))
            return And(tuple(compared_rows(self._calls, word, operand, one, node.position) for word, one in bounds))

        test = Or((within(low, high), within(high, low))) if node.symmetric else within(low, high)
        return negated(test, node.negated)

    def _row_in_list(self, node: ast.InList) -> Expression:
        operand = self._entries(node.operand)
        tests = tuple(
            compared_rows(self._calls, "=", operand, self._entries(item), item.position) for item in node.items
        )
        return negated(tests[0] if len(tests) == 1 else Or(tests), node.negated)

    # --- shared parts -------------------------------------------------------------------------------------------------

    def _same_type(
        self, nodes: Sequence[ast.Expression], construct: str, node: ast.Expression
    ) -> tuple[tuple[Expression, ...], SqlType]:
        bound = [self.bind(part) for part in nodes]
        return self._calls.same_type(bound, _positions(nodes), construct, node.position)


def assignment_mismatch(column_name: str, target: SqlType, given: SqlType, position: int) -> DatatypeMismatchError:
    return DatatypeMismatchError(
        f'column "{column_name}" is of type {target} but expression is of type {given}',
        position=position,
        hint="You will need to rewrite or cast the expression.",
    )


def _integer(value: int, position: int) -> Expression:
    if not -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
        raise NumericOutOfRangeError(f"{INTEGER} out of range", position=position)
    return Constant(value, INTEGER)


def _has_row(*nodes: ast.Expression) -> bool:
    return any(isinstance(node, ast.RowValue) for node in nodes)


def _positions(nodes: Iterable[ast.Expression]) -> list[int]:
    return [node.position for node in nodes]
