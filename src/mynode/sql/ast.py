"""The syntax tree: what a statement says, before any name is looked up.

Every node is frozen and belongs to one of the closed unions at the end of each part (`Expression`, `TableReference`,
`Statement`, ...), to be taken apart by `match` with `assert_never`.

`position` is where an error about the node points: the 1-based character offset of its first token, or of the
operator for unary, binary and postfix operators, as in PostgreSQL. Positions do not count in comparisons, so two
expressions are equal when they say the same (`GROUP BY a + 1` finds `a + 1` in the select list).

Unquoted identifiers are already in lower case here. The parser bounds the height of every tree by
`limits.MAX_NESTING`, so it is safe to walk one recursively.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

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


class BinaryOperator(Enum):
    """`value` is the operator as SQL writes it; `!=` has become `<>`."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    MODULO = "%"
    POWER = "^"
    CONCATENATE = "||"
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
    """`name([DISTINCT] arguments)`, or `name(*)` as `count(*)`.

    What PostgreSQL's grammar names itself comes as a call too: `coalesce`, `nullif`, `greatest`, `least`, and without
    parentheses `current_date`, `current_timestamp`, `localtimestamp` and the like.
    """

    name: str
    arguments: tuple[Expression, ...]
    distinct: bool
    star: bool
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
)


@dataclass(frozen=True, slots=True)
class Default:
    """The word DEFAULT in the place of a value, in INSERT and UPDATE only."""

    position: int = field(compare=False)


# --- queries --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NamedTable:
    """`table [[AS] alias]`."""

    table: TableName
    alias: str | None
    position: int = field(compare=False)


TableReference: TypeAlias = NamedTable
"""Joins and derived tables come to stand here."""


@dataclass(frozen=True, slots=True)
class Star:
    """`*` or `table.*` in a select list."""

    table: str | None
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class SelectExpression:
    """`expression [[AS] alias]` in a select list."""

    expression: Expression
    alias: str | None
    position: int = field(compare=False)


SelectItem: TypeAlias = SelectExpression | Star


@dataclass(frozen=True, slots=True)
class Select:
    """`SELECT items [FROM source] [WHERE where]`; what follows (ORDER BY, LIMIT) is the `Query`'s."""

    items: tuple[SelectItem, ...]
    source: TableReference | None
    where: Expression | None
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Values:
    """`VALUES (...), (...)`: one or more rows, all of the same length. `Default` occurs only as an INSERT's source."""

    rows: tuple[tuple[Expression | Default, ...], ...]
    position: int = field(compare=False)


QueryBody: TypeAlias = Select | Values
"""UNION, INTERSECT and EXCEPT come to stand here."""


@dataclass(frozen=True, slots=True)
class OrderItem:
    """`expression [ASC | DESC] [NULLS FIRST | LAST]`.

    Attributes:
        nulls_first: None when not said; then NULLs come last if ascending and first if descending.
    """

    expression: Expression
    descending: bool
    nulls_first: bool | None
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Query:
    """`body [ORDER BY ...] [LIMIT limit] [OFFSET offset]`; `LIMIT ALL` is None."""

    body: QueryBody
    order_by: tuple[OrderItem, ...]
    limit: Expression | None
    offset: Expression | None
    position: int = field(compare=False)


# --- changes of rows ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Insert:
    """`INSERT INTO table [(columns)] source`.

    Attributes:
        columns: None when no list is given: all columns in their order.
        source: plain VALUES, or any other query.
    """

    table: NamedTable
    columns: tuple[Identifier, ...] | None
    source: Values | Query
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Assignment:
    """`column = value` of an UPDATE."""

    column: Identifier
    value: Expression | Default


@dataclass(frozen=True, slots=True)
class Update:
    """`UPDATE table SET assignments [WHERE where]`."""

    table: NamedTable
    assignments: tuple[Assignment, ...]
    where: Expression | None
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Delete:
    """`DELETE FROM table [WHERE where]`."""

    table: NamedTable
    where: Expression | None
    position: int = field(compare=False)


# --- changes of the schema ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """`name type [NOT NULL]`. `position` is the name's. A column's own PRIMARY KEY stands among the table's
    constraints; `not_null` is only what was written, so the primary key's implied NOT NULL is not in it.
    """

    name: str
    type: TypeName
    not_null: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class PrimaryKey:
    """`[CONSTRAINT name] PRIMARY KEY (columns)`, or the same written at one column."""

    name: str | None
    columns: tuple[Identifier, ...]
    position: int = field(compare=False)


TableConstraint: TypeAlias = PrimaryKey
"""UNIQUE, CHECK and FOREIGN KEY come to stand here."""


@dataclass(frozen=True, slots=True)
class CreateTable:
    """`CREATE TABLE [IF NOT EXISTS] table (columns and constraints)`; the list may be empty."""

    table: TableName
    if_not_exists: bool
    columns: tuple[ColumnDefinition, ...]
    constraints: tuple[TableConstraint, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class DropTable:
    """`DROP TABLE [IF EXISTS] tables [CASCADE | RESTRICT]`."""

    tables: tuple[TableName, ...]
    if_exists: bool
    cascade: bool
    position: int = field(compare=False)


# --- transactions and tools -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begin:
    """`BEGIN [modes]` or `START TRANSACTION [modes]`. Of the modes, only READ ONLY makes a difference."""

    is_read_only: bool
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Commit:
    """`COMMIT` or `END`."""

    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Rollback:
    """`ROLLBACK` or `ABORT`."""

    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Savepoint:
    """`SAVEPOINT name`."""

    name: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class RollbackTo:
    """`ROLLBACK TO [SAVEPOINT] name`."""

    name: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Release:
    """`RELEASE [SAVEPOINT] name`."""

    name: str
    position: int = field(compare=False)


TransactionControl: TypeAlias = Begin | Commit | Rollback | Savepoint | RollbackTo | Release


@dataclass(frozen=True, slots=True)
class Explain:
    """`EXPLAIN statement`, of a statement that has a plan."""

    statement: ExplainableStatement
    position: int = field(compare=False)


ExplainableStatement: TypeAlias = Query | Insert | Update | Delete

Statement: TypeAlias = Query | Insert | Update | Delete | CreateTable | DropTable | TransactionControl | Explain
