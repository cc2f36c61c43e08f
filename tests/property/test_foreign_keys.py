"""Random foreign keys with random actions, and random transactions of several sessions on them: every row that refers
finds what it refers to, in every state, and no row has a NULL or a second of its kind where it may not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mynode.base.sql_errors import SqlError
from mynode.machine.machine import Machine
from mynode.relation.catalog import Catalog
from mynode.relation.index_check import check_indexes
from mynode.relation.references import Reference
from mynode.relation.rows import TableRows
from mynode.session.api import TransactionStatus
from mynode.storage.engine import MemoryEngine
from mynode.testing.sql_sessions import SessionDatabase

SESSIONS = 3
TABLES = 3
KEYS = 5
ACTIONS = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT")
SQL = (
    *3 * ("INSERT INTO {t} VALUES ({a}, {b}, NULL, NULL)", "INSERT INTO {t} VALUES ({a}, {b}, {c}, {c})"),
    "INSERT INTO {t} SELECT id, u, {a}, {b} FROM t0 ON CONFLICT DO NOTHING",
    "INSERT INTO {t} VALUES ({a}, {b}, {c}, {c}) ON CONFLICT (id) DO UPDATE SET r = excluded.r, u = excluded.u",
    "UPDATE {t} SET id = {a} WHERE id = {b}",
    "UPDATE {t} SET id = (id + 1) % 5",
    "UPDATE {t} SET u = {a} WHERE u = {b}",
    "UPDATE {t} SET r = {a} WHERE id <= {b}",
    "UPDATE {t} SET s = NULL WHERE id = {b}",
    "UPDATE {t} SET s = {a} WHERE u = {b}",
    "UPDATE {t} SET s = NULL, r = {a} WHERE r = {b}",
    "DELETE FROM {t} WHERE id = {a}",
    "DELETE FROM {t} WHERE id <= {a}",
    "DELETE FROM {t} USING t0 AS o WHERE {t}.r = o.id AND o.u = {a}",
    *("BEGIN", "BEGIN", "COMMIT", "COMMIT", "ROLLBACK"),
)

foreign_keys = st.tuples(
    st.sampled_from(("r", "s")),
    st.integers(0, TABLES - 1),
    st.sampled_from(("id", "u")),
    st.sampled_from(ACTIONS),
    st.sampled_from(ACTIONS),
)
tables = st.lists(
    st.tuples(st.lists(foreign_keys, max_size=2), st.booleans(), st.booleans()), min_size=TABLES, max_size=TABLES
)
numbers = st.integers(0, KEYS - 1)
steps = st.lists(
    st.tuples(
        st.integers(0, SESSIONS - 1), st.sampled_from(SQL), st.integers(0, TABLES - 1), numbers, numbers, numbers
    ),
    min_size=10,
    max_size=50,
)


def definition(place: int, found: Sequence[tuple[str, int, str, str, str]], *, not_null: bool) -> str:
    """A table that refers to itself and those before it."""
    elements = ["id INTEGER PRIMARY KEY", "u INTEGER UNIQUE", "r INTEGER DEFAULT 1", "s INTEGER CHECK (s <> 4)"]
    if not_null:
        elements[1] += " NOT NULL"
    elements += [
        f"FOREIGN KEY ({column}) REFERENCES t{min(to, place)} ({key}) ON DELETE {on_delete} ON UPDATE {on_update}"
        for column, to, key, on_delete, on_update in found
    ]
    return f"CREATE TABLE t{place} ({', '.join(elements)})"


def check_integrity(machine: Machine) -> None:
    view = machine.view()
    rows = {name: TableRows(table) for name, table in Catalog.load(view).tables.items()}
    found = {name: [one.decode(record) for _, record in view.scan(one.low, one.high)] for name, one in rows.items()}
    for name, child in rows.items():
        for foreign_key in child.table.foreign_keys:
            reference = Reference(foreign_key, child, rows[foreign_key.table])
            present = {reference.of_parent(row) for row in found[foreign_key.table]}
            wanted = {values for row in found[name] if (values := reference.of_child(row)) is not None}
            assert wanted <= present, f"{name} refers by {foreign_key.name} to {wanted - present}"
        for row in found[name]:
            assert 4 not in row[3:]
            assert not any(
                column.not_null and value is None for column, value in zip(child.table.columns, row, strict=True)
            )
    assert check_indexes(view) == []


@settings(max_examples=30, deadline=None)
@given(tables=tables, steps=steps, seed=st.integers(0, 1_000))
def test_what_is_referred_to_is_there(
    tables: list[tuple[list[tuple[str, int, str, str, str]], bool, bool]],
    steps: list[tuple[int, str, int, int, int, int]],
    seed: int,
) -> None:
    database = SessionDatabase(random=Random(seed), machine=Machine(MemoryEngine()))
    sessions = [database.session() for _ in range(SESSIONS)]
    for place, (found, has_index, not_null) in enumerate(tables):
        sessions[0].execute(definition(place, found, not_null=not_null))
        if has_index:
            sessions[0].execute(f"CREATE INDEX ON t{place} (r)")
    for number, sql, table, a, b, c in steps:
        session = sessions[number]
        answer = session.answer(sql.format(t=f"t{table}", a=a, b=b, c=c))
        assert answer.error is None or isinstance(answer.error, SqlError), answer.error
        if answer.status is TransactionStatus.FAILED:
            session.execute("ROLLBACK")
        check_integrity(database.machine)


BUSY_SQL = (
    *3 * ("INSERT INTO child VALUES ({number}, {a}, NULL)", "INSERT INTO child VALUES ({number}, NULL, {a})"),
    "UPDATE child SET r = {a} WHERE id % 3 = {b}",
    *3 * ("INSERT INTO parent VALUES ({a}, {a}, 0) ON CONFLICT DO NOTHING",),
    "UPDATE parent SET n = n + 1 WHERE id = {a}",
    "UPDATE parent SET id = {a} WHERE id = {b}",
    "UPDATE parent SET u = {a} WHERE u = {b}",
    *4 * ("DELETE FROM parent WHERE id = {a}",),
    *2 * ("DELETE FROM child WHERE r = {a}", "DELETE FROM child WHERE s = {a}"),
    *8 * ("COMMIT",),
)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_referred_to_is_there_when_few_rows_are_fought_for(seed: int) -> None:
    """Every statement is part of a transaction, so that most of them overlap with others."""
    random = Random(seed)
    database = SessionDatabase(random=random, machine=Machine(MemoryEngine()))
    sessions = [database.session() for _ in range(SESSIONS)]
    sessions[0].execute("CREATE TABLE parent (id INTEGER PRIMARY KEY, u INTEGER UNIQUE, n INTEGER)")
    sessions[0].execute(
        "CREATE TABLE child (id INTEGER PRIMARY KEY, r INTEGER REFERENCES parent, s INTEGER REFERENCES parent (u))"
    )
    sessions[0].execute("CREATE INDEX ON child (r)")
    open_blocks: set[int] = set()
    commits: Counter[str] = Counter()
    for number in range(2_500):
        place = random.randrange(SESSIONS)
        session = sessions[place]
        if place not in open_blocks:
            session.execute("BEGIN")
            open_blocks.add(place)
        sql = random.choice(BUSY_SQL).format(number=number, a=random.randrange(5), b=random.randrange(5))
        answer = session.answer(sql)
        if sql == "COMMIT":
            commits["done" if answer.error is None else "conflict"] += 1
            check_integrity(database.machine)
        if answer.status is TransactionStatus.FAILED:
            session.execute("ROLLBACK")
        if answer.status is not TransactionStatus.OPEN:
            open_blocks.discard(place)
    assert commits["done"] > 20
    assert commits["conflict"] > 20
