"""Random SQL in the subset that MyNode and SQLite understand alike, driven by a `Random` (hypothesis has one too).

What differs is left out: division may fail here, so divisors are constants other than zero; numbers stay far from 64
bits; text is ASCII; places of NULLs are written out; a column of BOOLEAN is an INTEGER of 0 and 1 in SQLite.
"""

from __future__ import annotations

from random import Random
from typing import Final

from mynode.values.types import Row

CREATE: Final = """CREATE TABLE t (
    id INTEGER NOT NULL, k TEXT NOT NULL, a INTEGER, b INTEGER, s TEXT, f FLOAT, p BOOLEAN, PRIMARY KEY (id, k)
)"""
INSERT: Final = "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)"

_TEXTS: Final = ("", "a", "ab", "abc", "b", "B", "a%", "_", "zz top")
_COMPARISONS: Final = ("=", "<>", "<", "<=", ">", ">=")


class SqlGenerator:
    """Makes rows of the table `t`, and expressions, conditions and statements on it."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._deepest_subquery = 2

    def rows(self, most: int) -> list[Row]:
        """Rows with different keys, in any order, with NULLs and duplicates in the other columns."""
        keys = [(number, text) for number in range(4) for text in ("", "a", "b")]
        self._random.shuffle(keys)
        return [
            (
                number,
                text,
                self._or_null(self._random.randint(-3, 3)),
                self._or_null(self._random.randint(-100, 100)),
                self._or_null(self._random.choice(_TEXTS)),
                self._or_null(self._random.randint(-8, 8) / 4),
                self._or_null(self._random.random() < 0.5),
            )
            for number, text in keys[: self._random.randint(0, most)]
        ]

    def _or_null(self, value: float | str) -> float | str | None:
        return None if self._random.random() < 0.2 else value

    # --- expressions --------------------------------------------------------------------------------------------------

    def integer(self, depth: int) -> str:
        if depth <= 0:
            return self._random.choice(("a", "b", "id", "t.a", "0", "1", "2", "-3", "nullif(0, 0)", "a"))
        below, other = self.integer(depth - 1), self.integer(depth - 2)
        return self._random.choice(
            (
                f"({below} + {other})",
                f"({below} - {other})",
                f"({other} * {self._random.randint(-3, 3)})",
                f"({below} / {self._random.choice((-3, -1, 2, 7))})",
                f"({below} % {self._random.choice((-3, 2, 7))})",
                f"(- {below})",
                f"abs({below})",
                f"length({self.text(depth - 1)})",
                f"coalesce({below}, {other})",
                f"nullif({below}, {other})",
                f"CASE WHEN {self.boolean(depth - 1)} THEN {below} ELSE {other} END",
                f"CASE {below} WHEN {other} THEN 1 WHEN 2 THEN {other} END",
                self._scalar_subquery() or below,
            )
        )

    def number(self, depth: int) -> str:
        """An expression of type FLOAT, or of INTEGER where both mean the same."""
        if depth <= 0:
            return self._random.choice(("f", "f", "0.5", "-1.25", "nullif(0.5, 0.5)"))
        below, other = self.number(depth - 1), self.number(depth - 2)
        return self._random.choice(
            (
                f"({below} + {other})",
                f"({other} - {self.integer(depth - 1)})",
                f"({below} * 0.5)",
                f"({below} / 4.0)",
                f"abs({below})",
                f"coalesce({below}, {other}, 1.5)",
                f"CASE WHEN {self.boolean(depth - 1)} THEN {below} ELSE {other} END",
            )
        )

    def text(self, depth: int) -> str:
        if depth <= 0:
            return self._random.choice(("s", "k", "t.s", *(f"'{text}'" for text in _TEXTS), "NULL"))
        below, other = self.text(depth - 1), self.text(depth - 2)
        return self._random.choice(
            (
                f"({below} || {other})",
                f"upper({below})",
                f"lower({below})",
                f"substr({below}, {self._random.randint(1, 3)})",
                f"substr({below}, {self._random.randint(1, 3)}, {self._random.randint(0, 3)})",
                f"replace({below}, 'a', 'xy')",
                f"coalesce({below}, {other})",
                f"CASE WHEN {self.boolean(depth - 1)} THEN {below} ELSE {other} END",
            )
        )

    def boolean(self, depth: int) -> str:
        if depth <= 0:
            return self._random.choice(("p", "TRUE", "FALSE", "NULL", "a > 0", "s IS NULL", "id = 1"))
        below, other = self.boolean(depth - 1), self.boolean(depth - 2)
        return self._random.choice(
            (
                f"({below} AND {other})",
                f"({below} OR {other})",
                f"(NOT {below})",
                f"({below} IS NULL)",
                f"({below} IS NOT TRUE)",
                self._comparison(depth - 1),
                self._comparison(depth - 1),
                self._membership(depth - 1),
                f"({self.text(depth - 1)} LIKE '{self._random.choice(('a%', '%b', '_', '%', 'a_c', ''))}')",
                self._boolean_subquery() or below,
                self._boolean_subquery() or other,
            )
        )

    def _comparison(self, depth: int) -> str:
        make = self._random.choice((self.integer, self.number, self.text))
        left, right = make(depth), make(depth - 1)
        operator = self._random.choice((*_COMPARISONS, "IS DISTINCT FROM", "IS NOT DISTINCT FROM"))
        return f"({left} {operator} {right})"

    def _membership(self, depth: int) -> str:
        make = self._random.choice((self.integer, self.number, self.text))
        word = self._random.choice(("", "NOT "))
        operand = make(depth)
        if self._random.random() < 0.5:
            return f"({operand} {word}BETWEEN {make(depth - 1)} AND {make(depth - 1)})"
        items = ", ".join(make(min(depth - 1, 0)) for _ in range(self._random.randint(1, 4)))
        return f"({operand} {word}IN ({items}))"

    # --- sub-queries: in them a name alone means the inner table, `t.` the outer --------------------------------------

    def _subquery_tail(self) -> str:
        condition = self._random.choice(
            (
                "q.id = t.id",
                "q.a = t.a",
                "q.s = t.s AND q.id <> t.id",
                "q.id < t.id",
                "q.a = t.b % 4 OR q.s = t.s",
                "q.b > 0",
                "q.a IS NULL",
                f"q.a = t.a AND {self.boolean(1)}",
                self.boolean(1),
            )
        )
        return f"FROM t AS q WHERE {condition}"

    def _scalar_subquery(self) -> str | None:
        """One of one row, or of none."""
        if not self._deepest_subquery:
            return None
        self._deepest_subquery -= 1
        value = self._random.choice(
            (
                "count(*)",
                "count(q.a)",
                "sum(q.a)",
                "max(q.b)",
                "min(q.b) + count(*)",
                "coalesce(sum(q.b), 0)",
                "count(DISTINCT q.s)",
            )
        )
        if self._random.random() < 0.3:
            order = f"ORDER BY q.id{self._random.choice(('', ' DESC'))}, q.k LIMIT 1"
            text = f"(SELECT q.{self._random.choice('ab')} {self._subquery_tail()} {order})"
        else:
            text = f"(SELECT {value} {self._subquery_tail()})"
        self._deepest_subquery += 1
        return text

    def _boolean_subquery(self) -> str | None:
        if not self._deepest_subquery:
            return None
        self._deepest_subquery -= 1
        make, column = self._random.choice(((self.integer, "a"), (self.integer, "b"), (self.text, "s")))
        word = self._random.choice(("", "NOT "))
        text = self._random.choice(
            (
                f"({word}EXISTS (SELECT 1 {self._subquery_tail()}))",
                f"({make(1)} {word}IN (SELECT q.{column} {self._subquery_tail()}))",
                f"({make(0)} {word}IN (SELECT max(q.{column}) {self._subquery_tail()} GROUP BY q.id))",
                f"(a {self._random.choice(_COMPARISONS)} {self._scalar_subquery() or '1'})",
            )
        )
        self._deepest_subquery += 1
        return text

    def key_condition(self) -> str:
        """A condition of which parts are on the primary key, or what may be an index."""
        parts = []
        for _ in range(self._random.randint(1, 3)):
            number, text = self._random.randint(-1, 4), self._random.choice(("''", "'a'", "'b'", "NULL"))
            parts.append(
                self._random.choice(
                    (
                        f"id {self._random.choice(_COMPARISONS)} {number}",
                        f"{number} {self._random.choice(_COMPARISONS)} id",
                        f"k {self._random.choice(_COMPARISONS)} {text}",
                        f"id = {number}",
                        f"k = {text}",
                        f"id IN ({number}, {self._random.randint(0, 3)})",
                        f"k IN ({text}, 'b')",
                        f"id BETWEEN {number} AND {number + 1}",
                        f"a = {number}",
                        f"{self._random.choice(('a', 'b', 's', 'k'))} IS NULL",
                        f"(a = {number} OR s = {text} OR id = {number} AND p)",
                        self.boolean(1),
                    )
                )
            )
        return f" {self._random.choice(('AND', 'AND', 'AND', 'OR'))} ".join(parts)

    # --- statements ---------------------------------------------------------------------------------------------------

    def condition(self) -> str:
        return self.key_condition() if self._random.random() < 0.5 else self.boolean(3)

    def select(self) -> str:
        """Rows in an order that leaves no choice."""
        makers = (self.integer, self.number, self.text, self.boolean)
        items = ", ".join(self._random.choice(makers)(2) for _ in range(self._random.randint(1, 3)))
        where = f" WHERE {self.condition()}" if self._random.random() < 0.8 else ""
        limit = f" LIMIT {self._random.randint(0, 5)}" if self._random.random() < 0.3 else ""
        offset = f" OFFSET {self._random.randint(0, 3)}" if limit and self._random.random() < 0.5 else ""
        return f"SELECT {items} FROM t{where} ORDER BY {self._order()}{limit}{offset}"

    def _order(self) -> str:
        direction = self._random.choice(("", " DESC"))
        if self._random.random() < 0.5:
            return self._random.choice((f"id{direction}, k{direction}", f"id{direction}, k", f"k{direction}, id"))
        makers = (self.integer, self.number, self.text, self.boolean)
        nulls = self._random.choice((" NULLS FIRST", " NULLS LAST"))
        value = self._random.choice(makers)(1)
        return f"CASE WHEN TRUE THEN {value} END{direction}{nulls}, k{direction}, id"  # else a number were a place

    def aggregate(self) -> str:
        calls = (
            "count(*)",
            f"count({self.integer(1)})",
            f"count(DISTINCT {self.integer(1)})",
            f"sum({self.integer(1)})",
            f"sum(DISTINCT {self.integer(1)})",
            f"min({self.text(1)})",
            f"max({self.number(1)})",
            f"avg({self.integer(1)})",
        )
        items = ", ".join(self._random.choice(calls) for _ in range(self._random.randint(1, 3)))
        return f"SELECT {items} FROM t WHERE {self.condition()}"

    def grouped(self) -> str:
        """Groups by one or two keys, in an order that leaves no choice."""
        makers = (self.integer, self.text, self.boolean)
        keys = [f"CASE WHEN TRUE THEN {self._random.choice(makers)(1)} END" for _ in range(self._random.randint(1, 2))]
        calls = (
            "count(*)",
            f"count(DISTINCT {self.text(1)})",
            f"sum({self.integer(1)})",
            f"count(*) FILTER (WHERE {self.boolean(1)})",
            f"max({self.integer(1)}) FILTER (WHERE {self.boolean(1)})",
            f"min({self.text(1)})",
        )
        items = ", ".join([*keys, *self._random.sample(calls, self._random.randint(1, 3))])
        having = f" HAVING count(*) > {self._random.randint(0, 2)}" if self._random.random() < 0.4 else ""
        order = ", ".join(
            f"{number} {self._random.choice(('', 'DESC'))} NULLS FIRST" for number in range(1, len(keys) + 1)
        )
        limit = f" LIMIT {self._random.randint(0, 4)}" if self._random.random() < 0.3 else ""
        where = self.condition()
        return f"SELECT {items} FROM t WHERE {where} GROUP BY {', '.join(keys)}{having} ORDER BY {order}{limit}"

    def joined(self) -> str:
        """Three uses of the table side by side, aggregated, so that the order of rows does not matter."""
        kinds = ("JOIN", "LEFT JOIN", "CROSS JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
        source = "t AS x"
        for alias, others in (("y", ("x",)), ("z", ("x", "y"))):
            kind = self._random.choice(kinds)
            source += f" {kind} t AS {alias}"
            if kind != "CROSS JOIN":
                source += f" ON {self._tie(alias, others)}"
        where = " WHERE " + self._tie("z", ("x", "y")) if self._random.random() < 0.4 else ""
        return f"SELECT x.id, x.k, y.id, y.k, z.id, z.a, coalesce(x.s, y.s) FROM {source}{where}"

    def _tie(self, alias: str, others: tuple[str, ...]) -> str:
        other = self._random.choice(others)
        ties = [
            f"{alias}.id = {other}.id",
            f"{other}.id = {alias}.id AND {alias}.k = {other}.k",
            f"{alias}.a = {other}.b % 4",
            f"{alias}.s = {other}.s",
            f"{alias}.id < {other}.id",
            f"{alias}.p IS NULL",
            f"{other}.a > 0",
            f"{alias}.id = {self._random.randint(0, 3)} AND {alias}.k = 'a'",
            f"({alias}.a = {other}.a OR {other}.s IS NULL)",
        ]
        return " AND ".join(self._random.sample(ties, self._random.randint(1, 2)))

    def limited(self) -> str:
        """The first rows of a join or of UNION ALL, in an order that leaves no choice."""
        limit = f"LIMIT {self._random.randint(0, 6)}"
        if self._random.random() < 0.5:
            limit += f" OFFSET {self._random.randint(0, 3)}"
        direction = self._random.choice(("", " DESC"))
        if self._random.random() < 0.5:
            sides = [f"SELECT id, k, {self.integer(1)} AS n FROM t WHERE {self.condition()}" for _ in range(2)]
            order = f"id{direction}, k{direction}, n NULLS FIRST"
            return f"SELECT id, k, n FROM ({' UNION ALL '.join(sides)}) AS u ORDER BY {order} {limit}"
        kind = self._random.choice(("LEFT JOIN", "LEFT JOIN", "JOIN", "FULL JOIN"))
        source = f"t AS x {kind} t AS y ON {self._tie('y', ('x',))}"
        where = f" WHERE {self._tie('y', ('x',))}" if self._random.random() < 0.3 else ""
        order = self._random.choice(
            (f"x.id{direction} NULLS LAST, x.k NULLS LAST", f"x.k{direction} NULLS FIRST, x.id NULLS LAST")
        )
        return f"SELECT x.k, x.id FROM {source}{where} ORDER BY {order} {limit}"

    def distinct(self) -> str:
        makers = (self.integer, self.number, self.text, self.boolean)
        items = ", ".join(self._random.choice(makers)(1) for _ in range(self._random.randint(1, 2)))
        return f"SELECT DISTINCT {items} FROM t WHERE {self.condition()}"

    def change(self) -> str:
        """An UPDATE or DELETE that leaves keys alone. In SQLite, sub-queries would see what it has changed already."""
        deepest, self._deepest_subquery = self._deepest_subquery, 0
        text = self._change()
        self._deepest_subquery = deepest
        return text

    def _change(self) -> str:
        if self._random.random() < 0.3:
            return f"DELETE FROM t WHERE {self.condition()}"
        assignments = (
            f"a = {self.integer(2)}",
            f"s = {self.text(2)}",
            f"f = {self.number(2)}",
            f"p = {self.boolean(2)}",
        )
        chosen = self._random.sample(assignments, self._random.randint(1, 3))
        return f"UPDATE t SET {', '.join(chosen)} WHERE {self.condition()}"
