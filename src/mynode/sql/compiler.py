"""The compiler: from bound expressions to Python functions.

Each function is written as Python source and executed once a plan, so a row costs no walk over a tree: `a + 1 > $1`
becomes `(t1 if -2**63 <= (t1 := r[0] + 1) …) > p[0]`, with tests for None only where NULL can occur. In the source `r`
is the input row, `rows` a batch of them, `c` the execution context and `p` its parameters; what has no literal form is
a global of its own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import count
from operator import itemgetter
from random import Random
from typing import Any, Final, Protocol, TypeAlias, assert_never

from mynode.base.invariant import invariant
from mynode.base.limits import MAX_COMPILED_CHARS, ROWS_COMPILED
from mynode.base.sql_errors import SqlError, StatementTooComplexError
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
    OuterValue,
    ParameterValue,
    PlanColumn,
    is_nullable,
)
from mynode.sql.functions.arithmetic import integer_out_of_range
from mynode.sql.functions.comparison import EQUALITY
from mynode.sql.functions.function import Function
from mynode.values.numeric import NAN
from mynode.values.types import WITH_NAN, Row, Value


class Context(Protocol):
    """What an expression can reach besides its row."""

    parameters: Row
    now: datetime
    random: Random
    outer: dict[int, Value]


RowsFunction: TypeAlias = Callable[[Sequence[Row], Context], list[Row]]
"""From a batch of rows to the rows it makes of them."""

Accumulate: TypeAlias = Callable[
    [Sequence[Row], Context, Callable[[Row], "list[Any] | None"], Callable[[Row], "list[Any]"]], None
]
"""Takes a batch, and functions from a key to the states of the aggregates of its group: to find one and to add one."""

PairsFunction: TypeAlias = Callable[[Iterable[tuple[Row, Sequence[Row] | None]], Context], list[Row]]
"""From rows, each with its partners if it has any, to the rows it makes of each pair."""

ContextFunction: TypeAlias = Callable[[Context], Row]
"""Values that need no row."""

_LONGEST_LITERAL: Final = 100
"""A longer constant is not written into the source."""
_DEEPEST: Final = 20
"""Expressions nested deeper in one Python expression become a function: Python's parser allows 200 parentheses."""
_WITH_LITERALS: Final = frozenset((type(None), bool, int, float, str, bytes))
"""The Python types whose values `repr` writes as a literal."""
_LONGEST_CASE: Final = 16
"""Branches of a CASE in one Python expression, which nests once for each."""


@dataclass(frozen=True, slots=True)
class _Code:
    """A Python expression; `simple` if it is no work to write it twice."""

    text: str
    nullable: bool
    simple: bool = False


@dataclass(frozen=True, slots=True)
class _Operand:
    """A value to be used twice: first as `tested`, which computes it, then as `name`."""

    name: str
    tested: str
    nullable: bool


def in_list(operand: Value, items: tuple[Value, ...]) -> bool | None:
    """SQL's `operand IN (items)`."""
    if operand is None:
        return None
    if operand in items:
        return True
    return None if None in items else False


def is_distinct(equal: Callable[..., Value], left: Value, right: Value) -> bool:
    """SQL's `left IS DISTINCT FROM right`."""
    if left is None or right is None:
        return left is not right
    return not equal(left, right)


def nan_last(value: float | Decimal) -> tuple[float, float | Decimal]:
    """What numbers that are not NULL are sorted by: NaN after all others."""
    return (0, value) if value == value else (0.5, 0)


@dataclass(frozen=True, slots=True)
class Deferred:
    """In the place of a value of a deferred column: the error that using it raises."""

    error: SqlError


def reached(value: Value | Deferred) -> Value:
    """The value of a deferred column. Raises its error."""
    if isinstance(value, Deferred):
        raise value.error
    return value


def canonical(value: Value) -> Value:
    """The value; for NaN always the same one, because dicts and sets ask for identity first."""
    return value if value == value else NAN if isinstance(value, Decimal) else math.nan


class Compiler:
    """Makes functions over rows of the given columns, or over pairs of rows: the partners' columns are `o`'s then."""

    def __init__(self, columns: Sequence[PlanColumn] = (), partners: Sequence[PlanColumn] = ()) -> None:
        self._places = {column.id: place for place, column in enumerate(columns)}
        self._width = len(columns)
        self._names = {column.id: f"r[{place}]" for place, column in enumerate(columns)}
        self._names.update((column.id, f"o[{place}]") for place, column in enumerate(partners))
        self._rows = (*(("r",) if columns else ()), *(("o",) if partners else ()))
        self._globals: dict[str, Any] = {
            "integer_out_of_range": integer_out_of_range,
            "in_list": in_list,
            "is_distinct": is_distinct,
            "nan_last": nan_last,
            "canonical": canonical,
            "defaultdict": defaultdict,
            "reached": reached,
        }
        self._numbers = count(1)
        self._functions: list[str] = []
        self._depth = 0
        self._case_values: dict[int, str] = {}

    # --- what can be made ---------------------------------------------------------------------------------------------

    def rows(self, condition: Expression | None, values: Sequence[Expression] | None) -> RowsFunction:
        """Keeps the rows for which the condition is TRUE and makes the values of each; None keeps rows as they are."""
        made = "r" if values is None else self._tuple(values)
        test = "" if condition is None else f" if {self._test(condition, True)}"
        return self._function(f"def f(rows, c):\n p = c.parameters\n return [{made} for r in rows{test}]")

    def values(self, values: Sequence[Expression]) -> ContextFunction:
        """One row of values over no input."""
        return self._function(f"def f(c):\n p = c.parameters\n return {self._tuple(values)}")

    def value_rows(self, rows: Sequence[Sequence[Expression]]) -> Callable[[Context], Sequence[Row]]:
        """Rows of values over no input; made once only if all are constants."""
        if all(isinstance(value, Constant) for row in rows for value in row):
            constant = [tuple(value.value for value in row if isinstance(value, Constant)) for row in rows]
            return lambda _: constant
        parts = [
            self._function(f"def f(c):\n p = c.parameters\n return [{', '.join(map(self._tuple, part))}]")
            for part in (rows[start : start + ROWS_COMPILED] for start in range(0, len(rows), ROWS_COMPILED))
        ]
        return parts[0] if len(parts) == 1 else lambda context: [row for part in parts for row in part(context)]

    def known_values(
        self, value: Expression, condition: Expression | None = None, second: Expression | None = None
    ) -> Callable[[Sequence[Row], Context], list[Value]]:
        """One value a row of a batch, those that are NULL and those of rows that fail the condition left out.

        With a second expression pairs of values.
        """
        test = "" if condition is None else f" if {self._test(condition, True)}"
        parts: list[str] = []
        for code in [self._value(one) for one in (value, second) if one is not None]:
            parts.append(code.text)
            if code.nullable:
                parts[-1] = self._temporary()
                test += f" if ({parts[-1]} := {code.text}) is not None"
        made = parts[0] if second is None else f"({', '.join(parts)})"
        return self._function(f"def f(rows, c):\n p = c.parameters\n return [{made} for r in rows{test}]")

    def keys(self, values: Sequence[Expression]) -> RowsFunction:
        """The values of each row as something that Python's dicts and sets take for equal when SQL groups it."""
        return self._function(f"def f(rows, c):\n p = c.parameters\n return [{self._key(values)} for r in rows]")

    def _key(self, values: Sequence[Expression]) -> str:
        if not any(value.type in WITH_NAN for value in values):
            return self._tuple(values)
        made = (
            f"canonical({self._value(one).text})" if one.type in WITH_NAN else self._value(one).text for one in values
        )
        return f"({''.join(part + ', ' for part in made)})"

    def groups(self, values: Sequence[Expression]) -> Callable[[Sequence[Row], Context], dict[Row, list[Row]]]:
        """The rows of a batch by their `keys`."""
        return self._function(
            "def f(rows, c):\n p = c.parameters\n found = defaultdict(list)\n"
            f" for r in rows:\n  found[{self._key(values)}].append(r)\n return found"
        )

    def accumulate(self, keys: Sequence[Expression], calls: Sequence[AggregateCall]) -> Accumulate | None:
        """Adds each row to the states of its group, which are found by its key or added; None if it cannot be done.

        It costs less than to part the rows first where groups are many and small.
        """
        lines = ["def f(rows, c, find, add):", " p = c.parameters", " for r in rows:", f"  k = {self._key(keys)}"]
        lines += ["  s = find(k)", "  if s is None: s = add(k)"]
        for place, call in enumerate(calls):
            if call.aggregate.inline is None or call.distinct or call.order or call.second is not None:
                return None
            depth = "  "
            if call.filter is not None:
                lines.append(f"{depth}if {self._test(call.filter, True)}:")
                depth += " "
            if call.argument is not None:
                code = self._value(call.argument)
                lines.append(f"{depth}v = {code.text}")
                if code.nullable:
                    lines.append(f"{depth}if v is not None:")
                    depth += " "
            lines.append(depth + call.aggregate.inline.format(s=f"s[{place}]", v="v"))
        return self._function("\n".join(lines))

    def join_keys(self, values: Sequence[Expression]) -> Callable[[Sequence[Row], Context], list[Any]]:
        """As `keys`, None where a value is NULL, and of one value itself."""
        codes = [self._value(value) for value in values]
        parts = [
            f"canonical({code.text})" if value.type in WITH_NAN else code.text
            for value, code in zip(values, codes, strict=True)
        ]
        made = parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
        if len(parts) > 1 and any(code.nullable for code in codes):
            key = self._temporary()
            made = f"(None if None in ({key} := {made}) else {key})"
        return self._function(f"def f(rows, c):\n p = c.parameters\n return [{made} for r in rows]")

    def pairs(self, condition: Expression | None, values: Sequence[Expression] | None) -> PairsFunction:
        """As `rows`, of pairs of rows; None keeps the values of both, one row after the other."""
        made = "r + o" if values is None else self._tuple(values)
        test = "" if condition is None else f" if {self._test(condition, True)}"
        each = f"for r, partners in found if partners for o in partners{test}"
        return self._function(f"def f(found, c):\n p = c.parameters\n return [{made} {each}]")

    def is_identity(self, values: Sequence[Expression]) -> bool:
        """Whether the values are the columns as they are, in their order."""
        columns = [value.column for value in values if isinstance(value, ColumnValue)]
        places = [self._places[column.id] for column in columns if not column.deferred]
        return len(values) == self._width and places == list(range(self._width))

    def sort_key(self, value: Expression, nulls_are: int) -> Callable[[Context], Callable[[Row], object]]:
        """Makes, for a context, the function from a row to what it is sorted by, where NULL is -1 least, 1 greatest."""
        if isinstance(value, ColumnValue) and not value.column.nullable and value.type not in WITH_NAN:
            place = self._places[value.column.id]
            return lambda _: itemgetter(place)
        code = self._value(value)
        key = f"nan_last({code.text})" if value.type in WITH_NAN else code.text
        if code.nullable:
            name = self._temporary()
            key = f"nan_last({name})" if value.type in WITH_NAN else f"(0, {name})"
            key = f"(({nulls_are},) if ({name} := {code.text}) is None else {key})"
        return self._function(f"def f(c):\n p = c.parameters\n return lambda r: {key}")

    # --- values -------------------------------------------------------------------------------------------------------

    def _tuple(self, values: Sequence[Expression]) -> str:
        if self._rows == ("r",) and self.is_identity(values):
            return "r"
        return f"({''.join(self._value(value).text + ', ' for value in values)})"

    def _value(self, expression: Expression) -> _Code:
        """Python source of the expression's value."""
        self._depth += 1
        code = self._outlined(expression) if self._depth > _DEEPEST else self._value_of(expression)
        self._depth -= 1
        return code

    def _outlined(self, expression: Expression) -> _Code:
        """The value by way of a function of its own."""
        depth, self._depth = self._depth, 0
        code = self._value(expression)
        self._depth = depth
        return code if code.simple else _Code(self._outline(code.text), code.nullable)

    def _value_of(self, expression: Expression) -> _Code:
        match expression:
            case Constant():
                return self._constant(expression.value)
            case ColumnValue(PlanColumn(deferred=True) as column):
                return _Code(f"reached({self._names[column.id]})", column.nullable)
            case ColumnValue():
                return _Code(self._names[expression.column.id], expression.column.nullable, simple=True)
            case OuterValue():
                return _Code(f"c.outer[{expression.column.id}]", expression.column.nullable, simple=True)
            case ParameterValue():
                return _Code(f"p[{expression.number - 1}]", nullable=True, simple=True)
            case CaseValue():
                return _Code(self._case_values[expression.id], nullable=True, simple=True)
            case Call():
                return self._call(expression)
            case And() | Or():
                return self._logical(expression)
            case Not():
                return self._strict((expression.operand,), lambda operand: f"(not {operand[0]})")
            case IsNull() | IsTruth():
                return _Code(self._test(expression, True), nullable=False)
            case IsDistinct():
                left, right = self._value(expression.left), self._value(expression.right)
                equal = self._global(expression.equal.implementation)
                return _Code(f"is_distinct({equal}, {left.text}, {right.text})", nullable=False)
            case InList():
                operand, items = self._value(expression.operand), self._tuple(expression.items)
                return _Code(f"in_list({operand.text}, {items})", is_nullable(expression))
            case Case():
                return self._case(expression)
            case Coalesce():
                return self._coalesce(expression)
            case AggregateCall():
                invariant(False, "the planner replaces aggregates by columns")
                return _Code("None", nullable=True)
        assert_never(expression)

    def _constant(self, value: Value) -> _Code:
        if type(value) not in _WITH_LITERALS or (isinstance(value, float) and not math.isfinite(value)):
            return _Code(self._global(value), nullable=False, simple=True)
        text = repr(value)
        if len(text) > _LONGEST_LITERAL:
            return _Code(self._global(value), nullable=False, simple=True)
        return _Code(f"({text})" if text.startswith("-") else text, nullable=value is None, simple=True)

    def _strict(self, arguments: Sequence[Expression], write: Callable[[list[str]], str]) -> _Code:
        """What `write` makes of the arguments' values, or None if one of them is."""
        operands = self._operands(arguments)
        written = write([operand.name for operand in operands])
        tests = " or ".join(f"{operand.tested} is None" for operand in operands if operand.nullable)
        return _Code(f"(None if {tests} else {written})" if tests else written, nullable=bool(tests))

    def _operands(self, expressions: Sequence[Expression]) -> list[_Operand]:
        operands: list[_Operand] = []
        for code in map(self._value, expressions):
            if code.simple or not code.nullable:
                operands.append(_Operand(code.text, code.text, code.nullable))
            else:
                name = self._temporary()
                operands.append(_Operand(name, f"({name} := {code.text})", nullable=True))
        return operands

    def _call(self, call: Call) -> _Code:
        if not call.function.strict:
            arguments = [self._value(argument).text for argument in call.arguments]
            return _Code(self._applied(call.function, arguments), nullable=True)
        code = self._strict(call.arguments, lambda arguments: self._applied(call.function, arguments))
        return replace(code, nullable=True) if call.function.nullable else code

    def _applied(self, function: Function, arguments: list[str]) -> str:
        if function.inline is not None:
            temporary = self._temporary() if "{t}" in function.inline else ""
            return function.inline.format(*arguments, t=temporary)
        context = ["c"] if function.takes_context else []
        return f"{self._global(function.implementation)}({', '.join([*context, *arguments])})"

    def _logical(self, expression: And | Or) -> _Code:
        """AND is FALSE if an operand is, else NULL if one is; OR the same with TRUE."""
        word, decisive = (" and ", "False") if isinstance(expression, And) else (" or ", "True")
        codes = [self._value(operand) for operand in expression.operands]
        if not any(code.nullable for code in codes):
            return _Code(f"({word.join(code.text for code in codes)})", nullable=False)
        names = [code.text if code.simple else self._temporary() for code in codes]
        decided = " or ".join(
            f"{code.text if code.simple else f'({name} := {code.text})'} is {decisive}"
            for code, name in zip(codes, names, strict=True)
        )
        unknown = " or ".join(f"{name} is None" for code, name in zip(codes, names, strict=True) if code.nullable)
        return _Code(f"({decisive} if {decided} else None if {unknown} else {decisive == 'False'})", nullable=True)

    def _coalesce(self, expression: Coalesce) -> _Code:
        name = self._temporary()
        found = " or ".join(f"({name} := {self._value(operand).text}) is not None" for operand in expression.operands)
        return _Code(f"({name} if {found} else None)", is_nullable(expression))

    def _case(self, expression: Case) -> _Code:
        nullable = is_nullable(expression)
        if expression.operand is None:
            return _Code(self._branches(expression), nullable)
        operand, name = self._value(expression.operand).text, self._temporary()
        self._case_values[expression.id] = name
        rest = self._branches(expression)
        del self._case_values[expression.id]
        return _Code(f"(({name} := {operand}), {rest})[1]", nullable)

    def _branches(self, expression: Case) -> str:
        """Nested conditional expressions; of many branches the later ones are outlined, from the last to the first."""
        otherwise = self._value(expression.otherwise).text
        branches = expression.branches
        starts = range(0, len(branches), _LONGEST_CASE)
        for start in reversed(starts):
            text = otherwise
            for condition, result in reversed(branches[start : start + _LONGEST_CASE]):
                text = f"({self._value(result).text} if {self._test(condition, True)} else {text})"
            otherwise = text if start == 0 else self._outline(text)
        return otherwise

    # --- tests --------------------------------------------------------------------------------------------------------

    def _test(self, expression: Expression, wanted: bool) -> str:
        """Python source that is true if the expression is `wanted`, and false if it is the other or NULL."""
        self._depth += 1
        if self._depth > _DEEPEST:
            depth, self._depth = self._depth, 0
            text = self._outline(self._test(expression, wanted))
            self._depth = depth
        else:
            text = self._test_of(expression, wanted)
        self._depth -= 1
        return text

    def _test_of(self, expression: Expression, wanted: bool) -> str:
        match expression:
            case And() | Or():
                word = " and " if isinstance(expression, And) == wanted else " or "
                return f"({word.join(self._test(operand, wanted) for operand in expression.operands)})"
            case Not():
                return self._test(expression.operand, not wanted)
            case IsNull():
                code = self._value(expression.operand)
                if code.simple and not code.nullable:
                    return str(not wanted)
                return f"({code.text} {'is' if wanted else 'is not'} None)"
            case IsTruth():
                found = self._test(expression.operand, expression.truth)
                return found if wanted else f"(not {found})"
            case InList() if all(isinstance(item, Constant) for item in expression.items):
                return self._test_in_constants(expression, wanted)
            case Call() if expression.function.strict and not expression.function.nullable:
                return self._test_call(expression, wanted)
        code = self._value(expression)
        if code.nullable:
            return f"({code.text} is {wanted})"
        return code.text if wanted else f"(not {code.text})"

    def _test_call(self, call: Call, wanted: bool) -> str:
        operands = self._operands(call.arguments)
        applied = self._applied(call.function, [operand.name for operand in operands])
        tests = [f"{operand.tested} is not None" for operand in operands if operand.nullable]
        if wanted and call.function.inline == EQUALITY and len(tests) == 1:
            applied, tests = (
                call.function.inline.format(*(operand.tested for operand in operands)),
                [],
            )  # None equals none
        return f"({' and '.join([*tests, applied if wanted else f'not {applied}'])})"

    def _test_in_constants(self, expression: InList, wanted: bool) -> str:
        values = {item.value for item in expression.items if isinstance(item, Constant)}
        known = self._global(frozenset(values - {None}))
        (operand,) = self._operands((expression.operand,))
        if wanted:
            return f"({operand.tested} in {known})"
        if None in values:
            return "False"
        present = f"{operand.tested} is not None and " if operand.nullable else ""
        return f"({present}{operand.name} not in {known})"

    # --- names and functions ------------------------------------------------------------------------------------------

    def _temporary(self) -> str:
        return f"t{next(self._numbers)}"

    def _global(self, value: object) -> str:
        name = f"g{next(self._numbers)}"
        self._globals[name] = value
        return name

    def _outline(self, text: str) -> str:
        """Moves a Python expression into a function of its own; returns the call of it."""
        name = f"f{next(self._numbers)}"
        arguments = ", ".join((*self._rows, "p", "c", *self._case_values.values()))
        self._execute(f"def {name}({arguments}):\n return {text}")
        return f"{name}({arguments})"

    def _function(self, source: str) -> Callable[..., Any]:
        self._execute(source)
        made: Callable[..., Any] = self._globals["f"]
        return made

    def _execute(self, source: str) -> None:
        if len(source) > MAX_COMPILED_CHARS:
            raise StatementTooComplexError("an expression of the statement is too large")
        exec(compile(source, "<compiled SQL>", "exec"), self._globals)
