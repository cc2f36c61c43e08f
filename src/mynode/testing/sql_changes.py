"""Random tables with constraints, and random changes of their rows, that MyNode and SQLite understand alike.

Every table has the columns of `COLUMNS`; which of them are keys, unique, checked and refer to another table is random.
What the two databases do differently is left out: SQLite checks a unique column row by row, so none is set from its own
value; a sub-query in SET would see there what the statement has changed already; and where a row meets two unique
constraints, `DO UPDATE` is up to the order in which they are looked at.
"""

from __future__ import annotations

from random import Random
from typing import Final

from mynode.testing.sql_queries import TEXTS, Columns, Dialect, Kind, Leaf, QueryGenerator, Scope

COLUMNS: Final[Columns] = (
    ("id", Kind.INTEGER),
    ("r", Kind.INTEGER),
    ("u", Kind.INTEGER),
    ("s", Kind.TEXT),
    ("n", Kind.INTEGER),
)
TABLES: Final = ("t0", "t1", "t2")
_ACTIONS: Final = ("NO ACTION", "CASCADE", "SET NULL", "SET DEFAULT")
_CHECKS: Final = ("n < 90", "u <> 7", "s <> 'b' OR n > 0", "r IS NULL OR r < 6", "length(s) < 4")
_SAVEPOINTS: Final = ("one", "two")


class ChangeGenerator:
    """Makes tables, and statements that change their rows.

    Two generators with equal randoms make the same statements, in two dialects.
    """

    def __init__(self, random: Random, dialect: Dialect) -> None:
        self._random = random
        self._dialect = dialect
        self._unique = {table: random.choice((("id",), ("id",), ("id", "u"), ("id", "s"))) for table in TABLES}
        self._queries = QueryGenerator(random, dialect, dict.fromkeys(TABLES, COLUMNS), most_queries=3)

    def tables(self) -> list[str]:
        """Each refers to one that was made before it, or to itself."""
        return [self._table(number) for number in range(len(TABLES))]

    def row(self) -> str:
        """An INSERT of one row that may well be possible."""
        number = self._random.randint(0, 7)
        return f"INSERT INTO {self._random.choice(TABLES)} (id, r, u, s) VALUES ({number}, NULL, {number}, '{number}')"

    def _table(self, number: int) -> str:
        name, choice = TABLES[number], self._random.choice
        keys = ["PRIMARY KEY (id)" if self._random.random() < 0.7 else "UNIQUE (id)"]
        keys += [f"UNIQUE ({column})" for column in self._unique[name][1:]]
        checks = [f"CHECK ({check})" for check in self._random.sample(_CHECKS, self._random.randint(0, 2))]
        other = choice(TABLES[: number + 1])
        actions = (*_ACTIONS, "RESTRICT") if other != name else _ACTIONS  # SQLite's RESTRICT counts rows that go too
        reference = f"FOREIGN KEY (r) REFERENCES {other} (id) ON DELETE {choice(actions)} ON UPDATE {choice(actions)}"
        references = [reference] if self._random.random() < 0.8 else []
        default = choice(("DEFAULT 0", "DEFAULT 1", ""))
        columns = f"id INT NOT NULL, r INT {default}, u INT, s TEXT DEFAULT 'd', n INT NOT NULL DEFAULT 3"
        return f"CREATE TABLE {name} ({', '.join([columns, *keys, *checks, *references])})"

    def control(self, *, in_transaction: bool) -> str:
        """A statement of transactions; savepoints may be unknown, which both refuse."""
        if not in_transaction:
            return "BEGIN"
        return self._random.choice(("COMMIT", "COMMIT", "ROLLBACK", *self._of_savepoints()))

    def recovery(self) -> str:
        """What follows a statement that failed in a transaction."""
        return self._random.choice(("ROLLBACK", f"ROLLBACK TO {self._random.choice(_SAVEPOINTS)}"))

    def _of_savepoints(self) -> list[str]:
        name = self._random.choice(_SAVEPOINTS)
        return [f"SAVEPOINT {name}", f"SAVEPOINT {name}", f"ROLLBACK TO {name}", f"RELEASE {name}"]

    def change(self) -> str:
        """An INSERT, UPDATE or DELETE."""
        table = self._random.choice(TABLES)
        make = self._random.choice((self._insert, self._insert, self._update, self._update_from, self._delete))
        text = make(table)
        return text + (f" RETURNING {self._returned(table)}" if self._random.random() < 0.4 else "")

    def _returned(self, table: str) -> str:
        computed = self._queries.value(Kind.INTEGER, _scope(table))
        return self._random.choice((f"{table}.id, {table}.n", f"{table}.id, {table}.r, {computed} AS x"))

    # --- INSERT -------------------------------------------------------------------------------------------------------

    def _insert(self, table: str) -> str:
        if self._random.random() < 0.03:
            return f"INSERT INTO {table} DEFAULT VALUES"
        names = self._random.choice(("id, r, u, s, n", "id, r, u, s, n", "id, s, n", "n, id", "id, r"))
        if self._random.random() < 0.3:
            source = self._selected(names.split(", "))
        else:
            count = self._random.randint(1, 3)
            rows = [", ".join(self._constant(name) for name in names.split(", ")) for _ in range(count)]
            source = f"VALUES ({'), ('.join(rows)})"
        return f"INSERT INTO {table} ({names}) {source}{self._conflict(table)}"

    def _selected(self, names: list[str]) -> str:
        """Rows of a table, in the order of its key; `WHERE` parts it from ON CONFLICT, for SQLite."""
        other, scope = self._random.choice(TABLES), _scope("o")
        values = []
        for name in names:
            kind = dict(COLUMNS)[name]
            shift = self._random.randint(0, 5)
            values.append(f"o.id + {shift}" if name == "id" else self._queries.value(kind, scope))
        return f"SELECT {', '.join(values)} FROM {other} AS o WHERE {self._queries.condition(scope)} ORDER BY o.id"

    def _conflict(self, table: str) -> str:
        if self._random.random() < 0.4:
            return ""
        if self._random.random() < 0.5:
            return self._random.choice((" ON CONFLICT DO NOTHING", " ON CONFLICT (id) DO NOTHING"))
        if self._unique[table] != ("id",):
            return ""
        scope = (*_scope(table), *_scope("excluded"))
        values = self._random.sample(
            [
                f"n = {self._queries.value(Kind.INTEGER, scope)}",
                f"s = {self._queries.value(Kind.TEXT, scope)}",
                "r = excluded.r",
                f"u = {table}.u + excluded.u",
            ],
            self._random.randint(1, 2),
        )
        where = f" WHERE {table}.n > excluded.n" if self._random.random() < 0.3 else ""
        return f" ON CONFLICT (id) DO UPDATE SET {', '.join(values)}{where}"

    def _constant(self, name: str) -> str:
        if self._random.random() < (0.02 if name in ("id", "n") else 0.4 if name == "r" else 0.2):
            return "NULL"
        match name:
            case "s":
                return f"'{self._random.choice(TEXTS)}'"
            case "n":
                return str(self._random.choice((-1, 0, 1, 2, 50, 95)))
            case _:
                return str(self._random.randint(0, 7))

    # --- UPDATE and DELETE --------------------------------------------------------------------------------------------

    def _update(self, table: str) -> str:
        scope = _scope(table)
        if self._random.random() < 0.4:  # keys: one row, or several get the same
            name = self._random.choice(("id", "r", "u", "s"))
            where = self._random.choice((f"id = {self._constant('id')}", f"id > {self._random.randint(3, 7)}"))
            return f"UPDATE {table} SET {name} = {self._constant(name)} WHERE {where}"
        free = [name for name in ("s", "n") if name not in self._unique[table]]
        sets = [f"{name} = {self._queries.value(dict(COLUMNS)[name], scope)}" for name in free]
        sets.append(f"r = {self._constant('r')}")
        chosen = self._random.sample(sets, self._random.randint(1, len(sets)))
        return f"UPDATE {table} SET {', '.join(chosen)} WHERE {self._queries.condition(scope)}"

    def _update_from(self, table: str) -> str:
        """With at most one row to join to each."""
        other = self._random.choice(TABLES)
        scope = (*_scope(table), *_scope("o"))
        value = self._queries.value(Kind.INTEGER, scope)
        key = self._random.choice(("r", "n", "id"))
        tied = f"o.id = {table}.{key}"
        if self._random.random() < 0.3:
            source = f"(SELECT r AS id, count(*) AS r, max(u) AS u, min(s) AS s, sum(n) AS n FROM {other} GROUP BY r)"
        else:
            source = other
        return f"UPDATE {table} SET n = {value}, r = o.{self._random.choice('rn')} FROM {source} AS o WHERE {tied}"

    def _delete(self, table: str) -> str:
        if self._random.random() < 0.5:
            return f"DELETE FROM {table} WHERE id = {self._constant('id')}"
        return f"DELETE FROM {table} WHERE {self._queries.condition(_scope(table))}"


def _scope(alias: str) -> Scope:
    return tuple(Leaf(f"{alias}.{name}", kind) for name, kind in COLUMNS)
