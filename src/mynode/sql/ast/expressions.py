"""Names, literals and expressions."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from mynode.sql.ast.queries import OrderItem, Query

# --- names ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Identifier:
    """A bare name where an error may have to point at it, such as a column in a list."""

    name: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class TableName:
    """`name` or `schema.name`."""

    schema: str | None
    name: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type as written: `name` in lower case, its words joined by one space (`double precision`).

    Aliases are not resolved here: `int4`, `int` and `integer` are three names.

    Attributes:
        arguments: the numbers in parentheses, as of `numeric(10, 2)` or `varchar(20)`.
    """

    name: str
    arguments: tuple[int, ...]
    position: int = field(compare=False)


# --- literals -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NullLiteral:
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class BooleanLiteral:
    value: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class IntegerLiteral:
    """An integer of 64 bits, written in any base. A minus before a number is part of it: `- 1` is one literal.

    A larger one is a `DecimalLiteral`, as in PostgreSQL.
    """

    value: int
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class DecimalLiteral:
    """A number with a point or an exponent (`-1.50`, `1e10`), or too large for 64 bits: as written, so that no digit is
    lost. `float` and `Decimal` take `text` as it is.
    """

    text: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class StringLiteral:
    """The value of `'...'` or `E'...'`, its quotes and escapes resolved. Its type is decided by the context."""

    value: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class BytesLiteral:
    """The value of `X'...'`."""

    value: bytes
    position: int = field(compare=False)


Literal: TypeAlias = NullLiteral | BooleanLiteral | IntegerLiteral | DecimalLiteral | StringLiteral | BytesLiteral

# --- expressions ----------------------------------------------------------------------------------------------------


class UnaryOperator(Enum):
    PLUS = "+"
    MINUS = "-"
    NOT = "NOT"
    BIT_NOT = "~"
    ABSOLUTE = "@"
    SQUARE_ROOT = "|/"
    CUBE_ROOT = "||/"


class BinaryOperator(Enum):
    """`value` is the operator as SQL writes it; `!=` has become `<>`."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    MODULO = "%"
    POWER = "^"
    CONCATENATE = "||"
    BIT_AND = "&"
    BIT_OR = "|"
    BIT_XOR = "#"
    SHIFT_LEFT = "<<"
    SHIFT_RIGHT = ">>"
    EQUAL = "="
    NOT_EQUAL = "<>"
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


class LogicalOperator(Enum):
    AND = "AND"
    OR = "OR"


@dataclass(frozen=True, slots=True)
class ColumnReference:
    """`column` or `table.column`."""

    table: str | None
    column: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$1` or `?`. `number` counts from 1; each `?` has the next number. A statement uses only one of both styles."""

    number: int
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    operator: UnaryOperator
    operand: Expression
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`. A chain `a + b + c` leans to the left."""

    operator: BinaryOperator
    left: Expression
    right: Expression
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Logical:
    """A chain of one of AND and OR, flat: two or more operands, so that a thousand of them are not a thousand deep."""

    operator: LogicalOperator
    operands: tuple[Expression, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class IsNull:
    """`operand IS [NOT] NULL` (also `ISNULL`, `NOTNULL`)."""

    operand: Expression
    negated: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class IsTruth:
    """`operand IS [NOT] TRUE | FALSE | UNKNOWN`; `truth` is None for UNKNOWN."""

    operand: Expression
    truth: bool | None
    negated: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class IsDistinct:
    """`left IS [NOT] DISTINCT FROM right`."""

    left: Expression
    right: Expression
    negated: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Between:
    """`operand [NOT] BETWEEN [SYMMETRIC] low AND high`."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool
    symmetric: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class InList:
    """`operand [NOT] IN (items...)`, at least one item."""

    operand: Expression
    items: tuple[Expression, ...]
    negated: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Like:
    """`operand [NOT] LIKE | ILIKE pattern [ESCAPE escape]`; without `escape` it is the backslash."""

    operand: Expression
    pattern: Expression
    escape: Expression | None
    case_insensitive: bool
    negated: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class CaseBranch:
    """`WHEN condition THEN result`."""

    condition: Expression
    result: Expression


@dataclass(frozen=True, slots=True)
class Case:
    """`CASE [operand] WHEN ... THEN ... [ELSE otherwise] END`.

    With an operand each branch's condition is a value to compare it with. Without ELSE, `otherwise` is None: NULL.
    """

    operand: Expression | None
    branches: tuple[CaseBranch, ...]
    otherwise: Expression | None
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Cast:
    """`CAST(operand AS type)`, `operand::type`, or a typed literal such as `BOOLEAN 'yes'`."""

    operand: Expression
    type: TypeName
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """`name([DISTINCT] arguments [ORDER BY order_by]) [FILTER (WHERE filter)]`, or `name(*)` as `count(*)`.

    What PostgreSQL's grammar names itself comes as a call too: `coalesce`, `nullif`, `greatest`, `least`, and without
    parentheses `current_date`, `current_timestamp`, `localtimestamp` and the like.
    """

    name: str
    arguments: tuple[Expression, ...]
    distinct: bool
    star: bool
    filter: Expression | None
    order_by: tuple[OrderItem, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class RowValue:
    """`(a, b, ...)`, two or more entries, or `ROW(a, ...)`, one or more."""

    entries: tuple[Expression, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class ScalarSubquery:
    """`(query)` as a value: its only row's only column, NULL if it has no row."""

    query: Query
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Exists:
    """`EXISTS (query)`."""

    query: Query
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class InSubquery:
    """`operand [NOT] IN (query)`."""

    operand: Expression
    query: Query
    negated: bool
    position: int = field(compare=False)


class Quantifier(Enum):
    """SOME is ANY."""

    ANY = "ANY"
    ALL = "ALL"


@dataclass(frozen=True, slots=True)
class QuantifiedComparison:
    """`left operator ANY | ALL (query)`; the operator is a comparison."""

    operator: BinaryOperator
    quantifier: Quantifier
    left: Expression
    query: Query
    position: int = field(compare=False)


Expression: TypeAlias = (
    Literal
    | ColumnReference
    | Parameter
    | Unary
    | Binary
    | Logical
    | IsNull
    | IsTruth
    | IsDistinct
    | Between
    | InList
    | Like
    | Case
    | Cast
    | FunctionCall
    | RowValue
    | ScalarSubquery
    | Exists
    | InSubquery
    | QuantifiedComparison
)


@dataclass(frozen=True, slots=True)
class Default:
    """The word DEFAULT in the place of a value, in INSERT and UPDATE only."""

    position: int = field(compare=False)
