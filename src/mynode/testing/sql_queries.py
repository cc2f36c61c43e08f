"""Random queries over several tables, written for MyNode or, with the same meaning, for SQLite.

They use what a query can be made of: joins of tables, derived tables, VALUES and WITH, groups, HAVING, FILTER, set
operations, and sub-queries in every place, correlated over several levels. Two generators with equal randoms and
different dialects make one query told twice. What the two databases mean differently is left out, as in
`sql_generator`; so is what would leave a choice among rows: a LIMIT stands only behind an order by all columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final


class Dialect(Enum):
    MYNODE = "MyNode"
    SQLITE = "SQLite"


class Kind(Enum):
    """The types that both databases have, by their names in DDL."""

    INTEGER = "INTEGER"
    NUMBER = "FLOAT"
    TEXT = "TEXT"
    BOOLEAN = "BOOLEAN"


@dataclass(frozen=True, slots=True)
class Leaf:
    """What an expression can be made of: a column, an expression of GROUP BY or an aggregate.

    `goes_down`: it is a column by its qualified name, which means the same in a sub-query.
    """

    text: str
    kind: Kind
    goes_down: bool = True


Columns = tuple[tuple[str, Kind], ...]
Scope = tuple[Leaf, ...]

TABLE: Final[Columns] = (
    ("id", Kind.INTEGER),
    ("a", Kind.INTEGER),
    ("b", Kind.INTEGER),
    ("s", Kind.TEXT),
    ("f", Kind.NUMBER),
    ("p", Kind.BOOLEAN),
)
"""The columns of every table; `id` is never NULL."""

TEXTS: Final = ("", "a", "ab", "abc", "b", "B", "a%", "_", "zz top")
COMPARISONS: Final = ("=", "=", "<>", "<", "<=", ">", ">=")
_JOINS: Final = ("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "CROSS JOIN", "FULL JOIN")
_KINDS: Final = tuple(Kind)


class QueryGenerator:
    """Makes queries of the relations that it is told of.

    Args:
        relations: the columns of tables and views, by name.
        most_queries: how many SELECTs a statement may have, about.
    """

    def __init__(
        self, random: Random, dialect: Dialect, relations: Mapping[str, Columns], *, most_queries: int = 6
    ) -> None:
        self._random = random
        self._dialect = dialect
        self._relations = dict(relations)
        self._most_queries = most_queries
        self._queries = 0
        self._names = 0

    def query(self) -> str:
        """A query with one to three columns, `c1` and so on."""
        self._queries = 0
        return self._query(self._some_kinds(), (), self._relations)

    def view(self) -> tuple[str, Columns]:
        """A query without parameters for a view, and its columns."""
        self._queries = max(0, self._most_queries - 2)
        kinds = self._some_kinds()
        return self._query(kinds, (), self._relations), _columns(kinds)

    def condition(self, scope: Scope) -> str:
        """A condition on the columns of a statement that is no query."""
        self._queries = self._most_queries // 2
        return self._boolean(scope, 3, self._relations)

    def value(self, kind: Kind, scope: Scope) -> str:
        """An expression on the columns of a statement that is no query, without sub-queries."""
        self._queries = self._most_queries
        return self._expression(kind, scope, 2, self._relations)

    def _some_kinds(self) -> tuple[Kind, ...]:
        return tuple(self._random.choices(_KINDS, k=self._random.randint(1, 3)))

    def _name(self) -> str:
        self._names += 1
        return f"q{self._names}"

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _may_nest(self) -> bool:
        return self._queries < self._most_queries

    # --- queries ------------------------------------------------------------------------------------------------------

    def _query(self, kinds: tuple[Kind, ...], outer: Scope, relations: Mapping[str, Columns]) -> str:
        text = ""
        if self._may_nest() and self._chance(0.2):
            inner = dict(relations)
            parts = []
            for _ in range(self._random.randint(1, 2)):
                of_part = self._some_kinds()
                name = self._name()
                columns = ", ".join(column for column, _ in _columns(of_part))
                parts.append(f"{name} ({columns}) AS ({self._body(of_part, (), inner)})")
                inner[name] = _columns(of_part)
            text, relations = f"WITH {', '.join(parts)} ", inner
        return text + self._body(kinds, outer, relations)

    def _body(self, kinds: tuple[Kind, ...], outer: Scope, relations: Mapping[str, Columns]) -> str:
        if self._may_nest() and self._chance(0.2):
            text = self._operand(kinds, outer, relations)
            for _ in range(self._random.randint(1, 2)):
                operator = self._random.choice(("UNION", "UNION ALL", "INTERSECT", "EXCEPT"))
                operand = self._operand(kinds, outer, relations)
                text = (
                    f"({text}) {operator} {operand}"
                    if self._dialect is Dialect.MYNODE
                    else f"{text} {operator} {operand}"
                )
        else:
            text = self._select(kinds, outer, relations)
        if self._chance(0.25):
            text += f" ORDER BY {self._whole_order(len(kinds))}"
            if self._chance(0.5):
                text += f" LIMIT {self._random.randint(0, 4)}"
                text += f" OFFSET {self._random.randint(0, 2)}" if self._chance(0.4) else ""
        return text

    def _operand(self, kinds: tuple[Kind, ...], outer: Scope, relations: Mapping[str, Columns]) -> str:
        """SQLite takes no parentheses around the operands of set operations, and groups all of them from the left."""
        query = self._query(kinds, outer, relations)
        return f"({query})" if self._dialect is Dialect.MYNODE else f"SELECT * FROM ({query})"

    def _whole_order(self, count: int) -> str:
        places = self._random.sample(range(1, count + 1), count)
        return ", ".join(
            f"{place}{self._random.choice(('', ' DESC'))} NULLS {self._random.choice(('FIRST', 'LAST'))}"
            for place in places
        )

    def _select(self, kinds: tuple[Kind, ...], outer: Scope, relations: Mapping[str, Columns]) -> str:
        self._queries += 1
        source, columns = self._from(outer, relations)
        scope = (*columns, *outer)
        where = f" WHERE {self._boolean(scope, 2, relations)}" if self._chance(0.6) else ""
        tail = ""
        if grouped := self._chance(0.35):
            scope, tail = self._groups(columns, outer, relations)
        values = [self._expression(kind, scope, self._random.randint(0, 2), relations) for kind in kinds]
        if grouped and not tail.startswith(" GROUP BY"):
            values[0] = _aggregated(values[0])
        items = ", ".join(f"{value} AS c{number}" for number, value in enumerate(values, 1))
        distinct = "DISTINCT " if self._chance(0.2) else ""
        return f"SELECT {distinct}{items} FROM {source}{where}{tail}"

    def _groups(self, columns: Scope, outer: Scope, relations: Mapping[str, Columns]) -> tuple[Scope, str]:
        """What a query with groups can use, and its GROUP BY and HAVING."""
        keys: list[Leaf] = []
        for _ in range(self._random.choice((0, 1, 1, 2))):
            key = self._random.choice(columns)
            if self._chance(0.3):  # a sub-query cannot use an expression of GROUP BY
                text = f"({self._random.choice(('', 'NOT '))}{key.text} IS NULL)"
                key = Leaf(text, Kind.BOOLEAN, goes_down=False)
            keys.append(key)
        queries, self._queries = self._queries, self._most_queries  # no sub-queries in aggregates
        calls = [self._aggregate(columns, relations) for _ in range(3)]
        self._queries = queries
        scope = (*keys, *calls, *outer)
        tail = f" GROUP BY {', '.join(key.text for key in keys)}" if keys else ""
        if self._chance(0.4):
            tail += f" HAVING {self._boolean(scope, 1, relations)}"
        return scope, tail

    def _aggregate(self, columns: Scope, relations: Mapping[str, Columns]) -> Leaf:
        def argument(kind: Kind) -> str:
            distinct = self._random.choice(("", "", "DISTINCT "))
            return distinct + self._expression(kind, columns, 1, relations)

        every, some = ("bool_and", "bool_or") if self._dialect is Dialect.MYNODE else ("min", "max")
        makers: tuple[tuple[Callable[[], str], Kind], ...] = (
            (lambda: "count(*)", Kind.INTEGER),
            (lambda: f"count({argument(self._random.choice(_KINDS))})", Kind.INTEGER),
            (lambda: f"sum({argument(Kind.INTEGER)})", Kind.INTEGER),
            (lambda: f"sum({argument(Kind.NUMBER)})", Kind.NUMBER),
            (lambda: f"{self._random.choice(('min', 'max'))}({argument(Kind.INTEGER)})", Kind.INTEGER),
            (lambda: f"{self._random.choice(('min', 'max'))}({argument(Kind.TEXT)})", Kind.TEXT),
            (lambda: f"{self._random.choice(('min', 'max'))}({argument(Kind.NUMBER)})", Kind.NUMBER),
            (lambda: f"{self._random.choice((every, some))}({argument(Kind.BOOLEAN)})", Kind.BOOLEAN),
        )
        make, kind = self._random.choice(makers)
        text = make()
        if self._chance(0.2):
            text += f" FILTER (WHERE {self._boolean(columns, 1, relations)})"
        return Leaf(text, kind, goes_down=False)

    # --- FROM ---------------------------------------------------------------------------------------------------------

    def _from(self, outer: Scope, relations: Mapping[str, Columns]) -> tuple[str, Scope]:
        text, scope = self._source(outer, relations)
        count = self._random.choice((0, 0, 0, 1, 1, 2))
        comma = self._chance(0.25)
        for number in range(count):
            other, columns = self._source(outer, relations)
            if comma:
                text, scope = f"{text}, {other}", (*scope, *columns)
                continue
            # SQLite 3.40 loses rows of a FULL JOIN to what is a join itself.
            join = self._random.choice(_JOINS[:-1] if number else _JOINS)
            text += f" {join} {other}"
            if join != "CROSS JOIN":
                text += f" ON {self._tie(scope, columns, outer, relations, full=join == 'FULL JOIN')}"
            scope = (*scope, *columns)
        return text, scope

    def _tie(self, left: Scope, right: Scope, outer: Scope, relations: Mapping[str, Columns], *, full: bool) -> str:
        """A condition of ON: most often an equality, so that there are matches."""
        scope = (*left, *right)
        pairs = [(one, two) for one in left for two in right if one.kind is two.kind]
        if pairs and self._chance(0.8):
            one, two = self._random.choice(pairs)
            text = f"{one.text} {self._random.choice(('=', '=', '=', '<', 'IS NOT DISTINCT FROM'))} {two.text}"
            if self._chance(0.7):
                return text
            return f"{text} {self._random.choice(('AND', 'AND', 'OR'))} {self._plain_condition(scope, relations)}"
        return self._plain_condition(scope, relations) if full else self._boolean((*scope, *outer), 1, relations)

    def _plain_condition(self, scope: Scope, relations: Mapping[str, Columns]) -> str:
        queries, self._queries = self._queries, self._most_queries
        text = self._boolean(scope, 1, relations)
        self._queries = queries
        return text

    def _source(self, outer: Scope, relations: Mapping[str, Columns]) -> tuple[str, Scope]:
        alias = self._name()
        if self._may_nest() and self._chance(0.2):
            kinds = self._some_kinds()
            visible = outer if self._chance(0.5) else ()
            return f"({self._query(kinds, visible, relations)}) AS {alias}", _scope(alias, _columns(kinds))
        if self._chance(0.08):
            return self._values(alias)
        name = self._random.choice(list(relations))
        return f"{name} AS {alias}", _scope(alias, relations[name])

    def _values(self, alias: str) -> tuple[str, Scope]:
        kinds = self._some_kinds()
        rows = ", ".join(
            f"({', '.join(self._constant(kind) for kind in kinds)})" for _ in range(self._random.randint(1, 3))
        )
        columns = _columns(kinds)
        if self._dialect is Dialect.MYNODE:
            return f"(VALUES {rows}) AS {alias} ({', '.join(name for name, _ in columns)})", _scope(alias, columns)
        renamed = ", ".join(f"column{number} AS {name}" for number, (name, _) in enumerate(columns, 1))
        return f"(SELECT {renamed} FROM (VALUES {rows})) AS {alias}", _scope(alias, columns)

    # --- expressions --------------------------------------------------------------------------------------------------

    def _expression(self, kind: Kind, scope: Scope, depth: int, relations: Mapping[str, Columns]) -> str:
        if kind is Kind.BOOLEAN:
            return self._boolean(scope, depth, relations)
        if depth <= 0:
            return self._leaf(kind, scope)
        if self._may_nest() and self._chance(0.12):
            return self._scalar(kind, scope, relations)
        below = self._expression(kind, scope, depth - 1, relations)
        other = self._expression(kind, scope, depth - 2, relations)
        match self._random.randrange(6):
            case 0:
                return f"coalesce({below}, {other})"
            case 1:
                return f"CASE WHEN {self._boolean(scope, depth - 1, relations)} THEN {below} ELSE {other} END"
            case 2:
                return f"nullif({below}, {other})"
            case 3:
                tested = self._random.choice(_KINDS[:3])
                operand, value = (self._expression(tested, scope, 0, relations) for _ in range(2))
                return f"CASE {operand} WHEN {value} THEN {below} WHEN {self._constant(tested)} THEN {other} END"
            case _:
                return self._operation(kind, below, other, scope, relations)

    def _operation(self, kind: Kind, below: str, other: str, scope: Scope, relations: Mapping[str, Columns]) -> str:
        one_text = self._leaf(Kind.TEXT, scope)
        find = "strpos" if self._dialect is Dialect.MYNODE else "instr"
        number, divisor = self._random.randint(1, 3), self._random.choice((-3, -1, 2, 7))
        of_integers = (
            f"({below} + {other})",
            f"({below} - {other})",
            f"({other} * {number - 2})",
            f"({below} / {divisor})",
            f"({below} % {divisor})",
            f"(- {below})",
            f"abs({below})",
            f"length({one_text})",
            f"{find}({one_text}, {self._constant(Kind.TEXT)})",
        )
        of_numbers = (
            f"({below} + {other})",
            f"({other} - {self._leaf(Kind.INTEGER, scope)})",
            f"({below} * 0.5)",
            f"({below} / 4.0)",
            f"abs({below})",
            f"CAST({self._leaf(Kind.INTEGER, scope)} AS FLOAT)",
        )
        of_texts = (
            f"({below} || {other})",
            f"upper({below})",
            f"lower({below})",
            f"substr({below}, {number})",
            f"substr({below}, {number}, {number - 1})",
            f"replace({below}, 'a', 'xy')",
            f"ltrim({below}, 'a')",
            f"CAST({self._leaf(Kind.INTEGER, scope)} AS TEXT)",
        )
        forms = {Kind.INTEGER: of_integers, Kind.NUMBER: of_numbers, Kind.TEXT: of_texts}[kind]
        return self._random.choice(forms)

    def _leaf(self, kind: Kind, scope: Scope) -> str:
        leaves = [leaf.text for leaf in scope if leaf.kind is kind]
        return self._random.choice(leaves) if leaves and self._chance(0.75) else self._constant(kind)

    def _constant(self, kind: Kind) -> str:
        if self._chance(0.12):
            return f"CAST(NULL AS {kind.value})"
        match kind:
            case Kind.INTEGER:
                return str(self._random.randint(-3, 3))
            case Kind.NUMBER:
                return str(self._random.randint(-8, 8) / 4)
            case Kind.TEXT:
                return f"'{self._random.choice(TEXTS)}'"
            case Kind.BOOLEAN:
                return self._random.choice(("TRUE", "FALSE"))

    def _boolean(self, scope: Scope, depth: int, relations: Mapping[str, Columns]) -> str:
        if depth <= 0:
            return self._comparison(scope, 0, relations) if self._chance(0.4) else self._leaf(Kind.BOOLEAN, scope)
        if self._may_nest() and self._chance(0.3):
            return self._subquery_test(scope, relations)
        below, other = self._boolean(scope, depth - 1, relations), self._boolean(scope, depth - 2, relations)
        unknown = "IS UNKNOWN" if self._dialect is Dialect.MYNODE else "IS NULL"
        return self._random.choice(
            (
                f"({below} AND {other})",
                f"({below} OR {other})",
                f"(NOT {below})",
                f"({below} {unknown})",
                f"({below} IS NOT TRUE)",
                f"({below} IS DISTINCT FROM {other})",
                self._comparison(scope, depth - 1, relations),
                self._comparison(scope, depth - 1, relations),
                self._membership(scope, depth - 1, relations),
                f"({self._leaf(Kind.TEXT, scope)} LIKE '{self._random.choice(('a%', '%b', '_', '%', 'a_c', ''))}')",
            )
        )

    def _comparison(self, scope: Scope, depth: int, relations: Mapping[str, Columns]) -> str:
        kind = self._random.choice(_KINDS)
        left = self._expression(kind, scope, depth, relations)
        right = self._expression(kind, scope, depth - 1, relations)
        return f"({left} {self._random.choice((*COMPARISONS, 'IS NOT DISTINCT FROM'))} {right})"

    def _membership(self, scope: Scope, depth: int, relations: Mapping[str, Columns]) -> str:
        kind, word = self._random.choice(_KINDS[:3]), self._random.choice(("", "NOT "))
        operand, low, high = (self._expression(kind, scope, max(depth - 1, 0), relations) for _ in range(3))
        if self._chance(0.4):
            return f"({operand} {word}BETWEEN {low} AND {high})"
        if self._chance(0.15):
            if self._dialect is Dialect.MYNODE:
                return f"({operand} BETWEEN SYMMETRIC {low} AND {high})"
            return f"({operand} BETWEEN {low} AND {high} OR {operand} BETWEEN {high} AND {low})"
        items = ", ".join(self._leaf(kind, scope) for _ in range(self._random.randint(1, 4)))
        return f"({operand} {word}IN ({items}))"

    # --- sub-queries --------------------------------------------------------------------------------------------------

    def _scalar(self, kind: Kind, scope: Scope, relations: Mapping[str, Columns]) -> str:
        """A sub-query of one row, or of none."""
        outer = _down(scope)
        if self._chance(0.3):
            return f"({self._body_of_one(kind, outer, relations)})"
        self._queries += 1
        source, columns = self._from(outer, relations)
        where = self._boolean((*columns, *outer), 1, relations)
        if pairs := [(one, two) for one in columns for two in outer if one.kind is two.kind]:
            one, two = self._random.choice(pairs)
            where = f"{one.text} = {two.text}" + (f" AND {where}" if self._chance(0.3) else "")
        queries, self._queries = self._queries, self._most_queries
        calls = [self._aggregate(columns, relations) for _ in range(2)]
        self._queries = queries
        value = self._expression(kind, tuple(calls), self._random.randint(0, 1), relations)
        return f"(SELECT {_aggregated(value)} AS c1 FROM {source} WHERE {where})"

    def _body_of_one(self, kind: Kind, outer: Scope, relations: Mapping[str, Columns]) -> str:
        return f"{self._select((kind,), outer, relations)} ORDER BY {self._whole_order(1)} LIMIT 1"

    def _subquery_test(self, scope: Scope, relations: Mapping[str, Columns]) -> str:
        outer, word = _down(scope), self._random.choice(("", "NOT "))
        kind = self._random.choice(_KINDS)
        query = self._query((kind,), outer if self._chance(0.7) else (), relations)
        operand = self._expression(kind, scope, self._random.randint(0, 1), relations)
        match self._random.randrange(5):
            case 0 | 1:
                return f"({word}EXISTS ({query}))"
            case 2 | 3:
                return f"({operand} {word}IN ({query}))"
            case _:
                return self._quantified(operand, query)

    def _quantified(self, operand: str, query: str) -> str:
        operator, quantifier = self._random.choice(COMPARISONS), self._random.choice(("ANY", "SOME", "ALL"))
        if self._dialect is Dialect.MYNODE:
            return f"({operand} {operator} {quantifier} ({query}))"
        decides, else_ = ("NOT ", "TRUE") if quantifier == "ALL" else ("", "FALSE")
        rows, test = f"SELECT 1 FROM ({query}) AS z", f"({operand} {operator} z.c1)"
        first = f"EXISTS ({rows} WHERE {decides}{test})"
        open_ = f"EXISTS ({rows} WHERE {test} IS NULL)"
        return f"(CASE WHEN {first} THEN {'FALSE' if decides else 'TRUE'} WHEN {open_} THEN NULL ELSE {else_} END)"


def _aggregated(value: str) -> str:
    """The value, with an aggregate: it makes one group of all rows, and SQLite wants it in the select list."""
    return f"CASE WHEN count(*) >= 0 THEN {value} END"


def _columns(kinds: Sequence[Kind]) -> Columns:
    return tuple((f"c{number}", kind) for number, kind in enumerate(kinds, 1))


def _scope(alias: str, columns: Columns) -> Scope:
    return tuple(Leaf(f"{alias}.{name}", kind) for name, kind in columns)


def _down(scope: Scope) -> Scope:
    """What a sub-query sees of the query around it."""
    return tuple(leaf for leaf in scope if leaf.goes_down)
