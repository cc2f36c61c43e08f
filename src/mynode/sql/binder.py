"""The binder: from an expression of the syntax tree to a bound one, every name resolved and every type known."""

from __future__ import annotations

from collections.abc import Sequence

from mynode.base.errors import (
    CannotCoerceError,
    DatatypeMismatchError,
    FeatureNotSupportedError,
    GroupingError,
    NumericOutOfRangeError,
    SqlSyntaxError,
    UndefinedFunctionError,
    UndefinedTypeError,
)
from mynode.sql import ast
from mynode.sql.coercion import coerce, common_type
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
    InList,
    IsDistinct,
    IsNull,
    IsTruth,
    Not,
    Or,
    ParameterValue,
    PlanColumn,
)
from mynode.sql.functions.conditional import GREATEST, LEAST, NULLIF
from mynode.sql.functions.function import Function
from mynode.sql.functions.registry import is_aggregate, resolve_aggregate, resolve_function, resolve_operator
from mynode.sql.not_yet import not_yet
from mynode.sql.parameters import ParameterTypes
from mynode.sql.scope import ColumnIds, Scope
from mynode.values.casts import CastLevel
from mynode.values.text import check_text
from mynode.values.types import (
    BOOLEAN,
    FLOAT,
    INTEGER,
    MAX_INTEGER,
    TEXT,
    TYPES_BY_NAME,
    UNKNOWN,
    SqlType,
)


class Binder:
    """Binds the expressions of one place of a statement (a WHERE, a select list, …).

    Attributes:
        bare_columns: the columns used outside of aggregates, with their positions.
        aggregates_in: None if aggregates may stand here, else what this place is called in the error.
    """

    __slots__ = ("_ids", "_in_aggregate", "_parameters", "_scope", "aggregates_in", "bare_columns")

    def __init__(self, scope: Scope, parameters: ParameterTypes, ids: ColumnIds, aggregates_in: str | None) -> None:
        self._scope = scope
        self._parameters = parameters
        self._ids = ids
        self._in_aggregate = False
        self.aggregates_in = aggregates_in
        self.bare_columns: list[tuple[PlanColumn, int]] = []

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
                return self._coerced(Constant(node.text, UNKNOWN), FLOAT, CastLevel.IMPLICIT, node.position)
            case ast.StringLiteral():
                return Constant(check_text(node.value), UNKNOWN)
            case ast.BytesLiteral():
                raise FeatureNotSupportedError("type bytea is not supported yet", position=node.position)
            case ast.ColumnReference():
                return self._column(node)
            case ast.Parameter():
                return ParameterValue(node.number, self._parameters.use(node.number))
            case ast.Unary():
                return self._unary(node)
            case ast.Binary():
                return self._operator(node.operator.value, (node.left, node.right), node.position)
            case ast.Logical():
                operands = tuple(self.condition(operand, node.operator.value) for operand in node.operands)
                return And(operands) if node.operator is ast.LogicalOperator.AND else Or(operands)
            case ast.IsNull():
                return _negated(IsNull(self.bind(node.operand)), node.negated)
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
        raise not_yet(node)

    def value(self, node: ast.Expression) -> Expression:
        """The bound expression; what has no type of its own is TEXT."""
        bound = self.bind(node)
        return self._coerced(bound, TEXT, CastLevel.IMPLICIT, 0) if bound.type is UNKNOWN else bound

    def condition(self, node: ast.Expression, construct: str) -> Expression:
        """A bound BOOLEAN, else a `DatatypeMismatchError` that names the construct (as "WHERE")."""
        return self.of_type(node, BOOLEAN, construct)

    def of_type(self, node: ast.Expression, wanted: SqlType, construct: str) -> Expression:
        """The bound expression, implicitly cast to a type."""
        bound = self.bind(node)
        coerced = coerce(bound, wanted, CastLevel.IMPLICIT, self._parameters, node.position)
        if coerced is None:
            raise DatatypeMismatchError(
                f"argument of {construct} must be type {wanted}, not type {bound.type}", position=node.position
            )
        return coerced

    def assigned(self, node: ast.Expression, target: SqlType, column_name: str) -> Expression:
        """The bound expression as a value for a column. Raises `DatatypeMismatchError`."""
        bound = self.bind(node)
        coerced = coerce(bound, target, CastLevel.ASSIGNMENT, self._parameters, node.position)
        if coerced is None:
            raise assignment_mismatch(column_name, target, bound.type, node.position)
        return coerced

    def as_compared(self, left: Expression, right: Expression, position: int) -> tuple[Expression, Expression]:
        """Both sides as `=` takes them."""
        left, right, _ = self._compared("=", left, right, position)
        return left, right

    def equality(self, left: Expression, right: Expression, position: int) -> Expression:
        """`left = right`."""
        return self._comparison("=", left, right, position)

    # --- one method a kind of node ------------------------------------------------------------------------------------

    def _column(self, node: ast.ColumnReference) -> Expression:
        column = self._scope.column(node.table, node.column, node.position)
        if not self._in_aggregate:
            self.bare_columns.append((column, node.position))
        return ColumnValue(column)

    def _unary(self, node: ast.Unary) -> Expression:
        if node.operator is ast.UnaryOperator.NOT:
            return Not(self.condition(node.operand, "NOT"))
        if node.operator is ast.UnaryOperator.MINUS and isinstance(node.operand, ast.IntegerLiteral):
            return _integer(-node.operand.value, node.position)
        return self._operator(node.operator.value, (node.operand,), node.position)

    def _operator(self, symbol: str, operands: Sequence[ast.Expression], position: int) -> Expression:
        bound = [self.bind(operand) for operand in operands]
        if symbol == "||":
            bound = [self._as_text(operand, bound, position) for operand in bound]
        function = resolve_operator(symbol, [operand.type for operand in bound], position)
        return self._applied(function, bound, [operand.position for operand in operands])

    def _as_text(self, operand: Expression, operands: Sequence[Expression], position: int) -> Expression:
        """An operand of `||`, whose other side must be text: then this one may be of any type."""
        if not any(other.type in (TEXT, UNKNOWN) for other in operands):
            return operand
        return self._coerced(operand, TEXT, CastLevel.ASSIGNMENT, position)

    def _is_truth(self, node: ast.IsTruth) -> Expression:
        words = {True: "TRUE", False: "FALSE", None: "UNKNOWN"}
        operand = self.condition(node.operand, f"IS {'NOT ' if node.negated else ''}{words[node.truth]}")
        test = IsNull(operand) if node.truth is None else IsTruth(operand, node.truth)
        return _negated(test, node.negated)

    def _is_distinct(self, node: ast.IsDistinct) -> Expression:
        left, right, equal = self._compared("=", self.bind(node.left), self.bind(node.right), node.position)
        return _negated(IsDistinct(left, right, equal), node.negated)

    def _between(self, node: ast.Between) -> Expression:
        """`low <= operand AND operand <= high`; as in PostgreSQL the operand is evaluated for each."""
        operand, low, high = self.bind(node.operand), self.bind(node.low), self.bind(node.high)

        def within(low: Expression, high: Expression) -> Expression:
            bounds = ((">=", low), ("<=", high))
            return And(tuple(self._comparison(symbol, operand, bound, node.position) for symbol, bound in bounds))

        test = Or((within(low, high), within(high, low))) if node.symmetric else within(low, high)
        return _negated(test, node.negated)

    def _in_list(self, node: ast.InList) -> Expression:
        operand = self.bind(node.operand)
        items = [self.bind(item) for item in node.items]
        compared = [
            self._compared("=", operand, item, source.position) for item, source in zip(items, node.items, strict=True)
        ]
        common, right_sides = compared[0][0].type, tuple(right for _, right, _ in compared)
        as_python = common is not FLOAT or all(
            isinstance(one, Constant) and one.value == one.value for one in right_sides
        )
        if as_python and all(left.type is common for left, _, _ in compared):
            test: Expression = InList(compared[0][0], right_sides)
        else:
            tests = tuple(Call(equal, (left, right)) for left, right, equal in compared)
            test = Or(tests) if len(tests) > 1 else tests[0]
        return _negated(test, node.negated)

    def _like(self, node: ast.Like) -> Expression:
        parts = (node.operand, node.pattern, *(() if node.escape is None else (node.escape,)))
        bound = [self.bind(part) for part in parts]
        if node.escape is None:
            bound.append(Constant("\\", TEXT))
        name, symbol = ("ilike", "~~*") if node.case_insensitive else ("like", "~~")
        if any(part.type not in (TEXT, UNKNOWN) for part in bound):
            raise UndefinedFunctionError(
                f"operator does not exist: {bound[0].type} {symbol} {bound[1].type}", position=node.position
            )
        function = resolve_function(name, [TEXT, TEXT, TEXT], node.position)
        return _negated(self._applied(function, bound, [part.position for part in parts]), node.negated)

    def _case(self, node: ast.Case) -> Expression:
        case_id = self._ids.id()
        operand = None if node.operand is None else self.value(node.operand)
        conditions: list[Expression] = []
        for branch in node.branches:
            if operand is None:
                conditions.append(self.condition(branch.condition, "CASE/WHEN"))
                continue
            wanted = self.bind(branch.condition)
            conditions.append(
                self._comparison("=", CaseValue(case_id, operand.type), wanted, branch.condition.position)
            )
        otherwise = ast.NullLiteral(node.position) if node.otherwise is None else node.otherwise
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
        if node.star or node.distinct or node.filter is not None:
            word = "*" if node.star else "DISTINCT" if node.distinct else "FILTER"
            raise UndefinedFunctionError(
                f"{word} is for aggregates only, and {node.name} is not an aggregate function", position=node.position
            )
        match node.name:
            case "coalesce":
                operands, common = self._same_type(node.arguments, "COALESCE", node)
                return Coalesce(operands, common)
            case "greatest" | "least":
                operands, common = self._same_type(node.arguments, node.name.upper(), node)
                return Call((GREATEST if node.name == "greatest" else LEAST)[common], operands)
            case "nullif":
                return self._nullif(node)
        bound = [self.bind(argument) for argument in node.arguments]
        types = [argument.type for argument in bound]
        untyped_parameter = any(isinstance(one, ParameterValue) and one.type is UNKNOWN for one in bound)
        function = resolve_function(node.name, types, node.position, prefer_float=not untyped_parameter)
        return self._applied(function, bound, [argument.position for argument in node.arguments])

    def _nullif(self, node: ast.FunctionCall) -> Expression:
        if len(node.arguments) != 2:
            raise UndefinedFunctionError("NULLIF takes two arguments", position=node.position)
        left, right = (self.bind(argument) for argument in node.arguments)
        left, right, _ = self._compared("=", left, right, node.position)
        return Call(NULLIF[left.type], (left, right))

    def _aggregate(self, node: ast.FunctionCall) -> Expression:
        if self._in_aggregate:
            raise GroupingError("aggregate function calls cannot be nested", position=node.position)
        if self.aggregates_in is not None:
            raise GroupingError(f"aggregate functions are not allowed in {self.aggregates_in}", position=node.position)
        filter_ = None
        if node.filter is not None:
            self._in_aggregate = True
            filter_ = self.condition(node.filter, "FILTER")
            self._in_aggregate = False
        if node.star and node.name == "count":
            return AggregateCall(resolve_aggregate("count", None, node.position), None, False, filter_)
        if len(node.arguments) != 1:
            hint = "count(*) counts rows" if node.name == "count" else None
            raise UndefinedFunctionError(
                f"{node.name}() takes one argument, not {len(node.arguments)}", position=node.position, hint=hint
            )
        self._in_aggregate = True
        argument = self.bind(node.arguments[0])
        self._in_aggregate = False
        aggregate = resolve_aggregate(node.name, argument.type, node.position)
        wanted = aggregate.parameter or (TEXT if argument.type is UNKNOWN else argument.type)
        argument = self._coerced(argument, wanted, CastLevel.IMPLICIT, node.arguments[0].position)
        return AggregateCall(aggregate, argument, node.distinct, filter_)

    # --- shared parts -------------------------------------------------------------------------------------------------

    def _applied(self, function: Function, operands: Sequence[Expression], positions: Sequence[int]) -> Expression:
        padded = [*positions, *[0] * (len(operands) - len(positions))]
        return Call(
            function,
            tuple(
                self._coerced(operand, wanted, CastLevel.IMPLICIT, position)
                for operand, wanted, position in zip(operands, function.parameters, padded, strict=True)
            ),
        )

    def _coerced(self, expression: Expression, wanted: SqlType, level: CastLevel, position: int) -> Expression:
        """A cast that the choice of a function has made sure of, except that a parameter may have another type."""
        coerced = coerce(expression, wanted, level, self._parameters, position)
        if coerced is None:
            number = expression.number if isinstance(expression, ParameterValue) else 0
            raise DatatypeMismatchError(
                f"inconsistent types deduced for parameter ${number}", position=position or None
            )
        return coerced

    def _compared(
        self, symbol: str, left: Expression, right: Expression, position: int
    ) -> tuple[Expression, Expression, Function]:
        function = resolve_operator(symbol, [left.type, right.type], position)
        sides = [
            self._coerced(side, wanted, CastLevel.IMPLICIT, position)
            for side, wanted in zip((left, right), function.parameters, strict=True)
        ]
        return sides[0], sides[1], function

    def _comparison(self, symbol: str, left: Expression, right: Expression, position: int) -> Expression:
        left, right, function = self._compared(symbol, left, right, position)
        return Call(function, (left, right))

    def _same_type(
        self, nodes: Sequence[ast.Expression], construct: str, node: ast.Expression
    ) -> tuple[tuple[Expression, ...], SqlType]:
        if not nodes:
            raise SqlSyntaxError(f"{construct} takes at least one argument", position=node.position)
        bound = [self.bind(part) for part in nodes]
        common = common_type(bound, construct, node.position)
        return tuple(
            self._coerced(part, common, CastLevel.IMPLICIT, source.position)
            for part, source in zip(bound, nodes, strict=True)
        ), common


def resolve_type(name: ast.TypeName) -> SqlType:
    """The type that is meant. Raises `UndefinedTypeError` or `FeatureNotSupportedError`."""
    found = TYPES_BY_NAME.get(name.name.upper())
    if found is None:
        raise UndefinedTypeError(f'type "{name.name}" does not exist', position=name.position)
    if name.arguments:
        raise FeatureNotSupportedError(
            f"type {name.name} with a length or precision is not supported yet", position=name.position
        )
    return found


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


def _negated(expression: Expression, negated: bool) -> Expression:
    return Not(expression) if negated else expression
