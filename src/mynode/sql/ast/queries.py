"""Queries: SELECT, VALUES, set operations, FROM and WITH."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from mynode.sql.ast.expressions import Default, Expression, Identifier, IntegerLiteral, StringLiteral, TableName

# --- FROM -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NamedTable:
    """`table [[AS] alias [(columns)]]`. `columns` rename the table's first ones; only in FROM and USING."""

    table: TableName
    alias: str | None
    columns: tuple[Identifier, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class DerivedTable:
    """`(query) [[AS] alias [(columns)]]`; `position` is the parenthesis."""

    query: Query
    alias: str | None
    columns: tuple[Identifier, ...]
    position: int = field(compare=False)


class JoinKind(Enum):
    INNER = "INNER"
    LEFT = "LEFT"
    RIGHT = "RIGHT"
    FULL = "FULL"
    CROSS = "CROSS"


@dataclass(frozen=True, slots=True)
class Join:
    """`left [NATURAL] kind JOIN right [ON on | USING (using)]`; `position` is the first word between the two.

    One of `on`, `using` and `natural` is there, except for CROSS, which has none. A chain `a JOIN b JOIN c` leans to
    the left.
    """

    kind: JoinKind
    left: TableReference
    right: TableReference
    on: Expression | None
    using: tuple[Identifier, ...]
    natural: bool
    position: int = field(compare=False)


TableReference: TypeAlias = NamedTable | DerivedTable | Join

# --- queries --------------------------------------------------------------------------------------------------------


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
    """`SELECT [DISTINCT [ON (distinct_on)]] items [FROM sources] [WHERE where] [GROUP BY group_by] [HAVING having]`.

    What follows (ORDER BY, LIMIT) is the `Query`'s.

    Attributes:
        sources: parted by commas; none without FROM.
    """

    items: tuple[SelectItem, ...]
    sources: tuple[TableReference, ...]
    where: Expression | None
    group_by: tuple[Expression, ...]
    having: Expression | None
    distinct: bool
    position: int = field(compare=False)
    distinct_on: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Values:
    """`VALUES (...), (...)`: one or more rows, all of the same length. `Default` occurs only as an INSERT's source."""

    rows: tuple[tuple[Expression | Default, ...], ...]
    position: int = field(compare=False)


class SetOperator(Enum):
    UNION = "UNION"
    INTERSECT = "INTERSECT"
    EXCEPT = "EXCEPT"


@dataclass(frozen=True, slots=True)
class SetOperation:
    """`left operator [ALL] right`; `distinct` without ALL. A chain leans to the left, INTERSECT binds tightest.

    An operand is a `Query` only if it stands in parentheses and has a WITH, ORDER BY, LIMIT or OFFSET of its own.
    """

    operator: SetOperator
    left: QueryBody | Query
    right: QueryBody | Query
    distinct: bool
    position: int = field(compare=False)


QueryBody: TypeAlias = Select | Values | SetOperation


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
class CommonTable:
    """`name [(columns)] AS [[NOT] MATERIALIZED] (query)` after WITH; it is in sight of those after it.

    Attributes:
        materialized: None when not said.
    """

    name: str
    columns: tuple[Identifier, ...]
    query: Query
    materialized: bool | None
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Query:
    """`[WITH common_tables] body [ORDER BY ...] [LIMIT limit] [OFFSET offset]`; `LIMIT ALL` is None.

    FETCH FIRST is a LIMIT, of 1 if it says no number; `with_ties` if it wants the rows that equal the last one too.
    `as_of` is of a whole statement: the version, or the text, in its AS OF SYSTEM TIME.
    """

    body: QueryBody
    order_by: tuple[OrderItem, ...]
    limit: Expression | None
    offset: Expression | None
    common_tables: tuple[CommonTable, ...]
    position: int = field(compare=False)
    as_of: IntegerLiteral | StringLiteral | None = None
    with_ties: bool = False
