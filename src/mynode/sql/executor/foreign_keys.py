"""FOREIGN KEY: what follows from a statement's changes, done and checked when all of them are made.

First the actions (CASCADE, SET NULL, SET DEFAULT), whose changes have consequences of their own, and RESTRICT; when
there is nothing left to do, NO ACTION and the references of new rows are checked in the state that came out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mynode.base.sql_errors import ForeignKeyViolationError
from mynode.mvcc.transaction import Transaction
from mynode.relation.references import Reference
from mynode.relation.rows import TableRows
from mynode.relation.schema import ReferentialAction
from mynode.sql.executor.context import ROWS_PER_STEP, ExecutionContext
from mynode.sql.executor.row_checks import RowCheck
from mynode.values.types import Row

_Moves: TypeAlias = dict[Row, Row | None]
"""Values by which rows could be referred to, and what they are now; None after a deletion."""


@dataclass(frozen=True, slots=True)
class CascadedTable:
    """A table whose rows actions may change.

    Attributes:
        check: of its new rows.
        defaults: makes the values that SET DEFAULT gives, one a column.
    """

    rows: TableRows
    check: RowCheck
    defaults: Callable[[ExecutionContext], Row]


class ForeignKeys:
    """The foreign keys that a statement has to do with, for all its executions."""

    __slots__ = ("cascaded", "incoming", "outgoing")

    def __init__(self, tables: Mapping[str, TableRows], cascaded: Mapping[str, CascadedTable]) -> None:
        self.cascaded = cascaded
        self.outgoing: dict[str, list[Reference]] = {}
        self.incoming: dict[str, list[Reference]] = {}
        for name, child in tables.items():
            for foreign_key in child.table.foreign_keys:
                if foreign_key.table in tables:
                    reference = Reference(foreign_key, child, tables[foreign_key.table])
                    self.outgoing.setdefault(name, []).append(reference)
                    self.incoming.setdefault(foreign_key.table, []).append(reference)

    def begin(self, context: ExecutionContext) -> Consequences:
        return Consequences(self, context)


class Consequences:
    """What follows from the changes of one execution, until it is settled."""

    __slots__ = ("_context", "_foreign_keys", "_late", "_transaction", "_unchecked", "_waiting")

    def __init__(self, foreign_keys: ForeignKeys, context: ExecutionContext) -> None:
        self._foreign_keys = foreign_keys
        self._context = context
        self._transaction: Transaction = context.transaction
        self._waiting: dict[Reference, _Moves] = {}
        self._late: list[tuple[Reference, _Moves]] = []
        self._unchecked: list[tuple[Reference, bytes]] = []

    # --- what has been done -------------------------------------------------------------------------------------------

    def inserted(self, table_name: str, key: bytes, row: Row) -> None:
        """A new row lies at the key."""
        for reference in self._foreign_keys.outgoing.get(table_name, ()):
            if reference.of_child(row) is not None:
                self._unchecked.append((reference, key))

    def updated(self, table_name: str, key: bytes, old: Row, new: Row) -> None:
        """The row is another one now, and lies at the key."""
        for reference in self._foreign_keys.outgoing.get(table_name, ()):
            values = reference.of_child(new)
            if values is not None and values != reference.of_child(old):
                self._unchecked.append((reference, key))
        for reference in self._foreign_keys.incoming.get(table_name, ()):
            before, after = reference.of_parent(old), reference.of_parent(new)
            if before is not None and before != after:
                made = tuple([new[position] for position in reference.parent_columns])
                self._moved(reference, before, made)

    def deleted(self, table_name: str, old: Row) -> None:
        for reference in self._foreign_keys.incoming.get(table_name, ()):
            values = reference.of_parent(old)
            if values is not None:
                self._moved(reference, values, None)

    def _moved(self, reference: Reference, before: Row, after: Row | None) -> None:
        """What moves in one reference before it is settled is looked for together."""
        self._waiting.setdefault(reference, {})[before] = after

    # --- what follows -------------------------------------------------------------------------------------------------

    def settle(self) -> Iterator[list[Row]]:
        """Does and checks all that follows, with pauses.

        Raises `ForeignKeyViolationError`, and what the changes that actions make raise by themselves.
        """
        while self._waiting:
            reference = next(iter(self._waiting))
            moves = self._waiting.pop(reference)
            deletions: _Moves = {before: after for before, after in moves.items() if after is None}
            updates: _Moves = {before: after for before, after in moves.items() if after is not None}
            if deletions:
                yield from self._act(reference, reference.foreign_key.on_delete, deletions)
            if updates:
                yield from self._act(reference, reference.foreign_key.on_update, updates)
        for reference, moves in self._late:
            gone: dict[Row, None] = {}
            for count, before in enumerate(moves, 1):
                if not reference.has_parent(self._transaction, before):
                    gone[before] = None
                if count % ROWS_PER_STEP == 0:
                    yield []
            if gone:
                yield from self._refuse(reference, gone)
        yield from self._check_references()

    def _act(self, reference: Reference, action: ReferentialAction, moves: _Moves) -> Iterator[list[Row]]:
        if action is ReferentialAction.NO_ACTION:
            self._late.append((reference, moves))
            return
        if action is ReferentialAction.RESTRICT:
            yield from self._refuse(reference, moves)
            return
        found: list[tuple[bytes, Row]] = []
        for item in reference.children(self._transaction, moves):
            if item is None:
                yield []
            else:
                self._context.memory.keep([item[1]])  # for good: what follows from a statement it keeps to its end
                found.append(item)
        table = self._foreign_keys.cascaded[reference.child.table.name]
        if action is ReferentialAction.CASCADE and None in moves.values():
            for count, (key, row) in enumerate(found, 1):
                table.rows.remove(self._transaction, key)
                self.deleted(table.rows.table.name, row)
                if count % ROWS_PER_STEP == 0:
                    yield []
            return
        changes: list[tuple[bytes, Row, Row]] = []
        for count, (key, row) in enumerate(found, 1):
            changes.append((key, row, self._new_row(reference, action, moves, table, row)))
            if count % ROWS_PER_STEP == 0:
                yield []
        yield from self._rewrite(table, changes)
        if action is ReferentialAction.SET_DEFAULT:
            self._late.append((reference, moves))  # The default may be what they referred by before.

    def _new_row(
        self, reference: Reference, action: ReferentialAction, moves: _Moves, table: CascadedTable, row: Row
    ) -> Row:
        """A row that refers, as the action changes it."""
        new = list(row)
        made: Row | None = None
        if action is ReferentialAction.SET_DEFAULT:
            defaults = table.defaults(self._context)
            made = tuple([defaults[position] for position in reference.child_columns])
        elif action is ReferentialAction.CASCADE:
            values = reference.of_child(row)
            made = None if values is None else moves[values]
        for place, position in enumerate(reference.child_columns):
            new[position] = None if made is None else made[place]
        return tuple(new)

    def _rewrite(self, table: CascadedTable, changes: Sequence[tuple[bytes, Row, Row]]) -> Iterator[list[Row]]:
        """All rows are taken away from where they were before any is put where it goes."""
        rows, transaction = table.rows, self._transaction
        for start in range(0, len(changes), ROWS_PER_STEP):
            table.check([new for _, _, new in changes[start : start + ROWS_PER_STEP]], self._context)
            yield []
        has_key = rows.table.primary_key is not None
        moved: list[tuple[Row, Row]] = []
        added = []
        for count, (key, old, new) in enumerate(changes, 1):
            if count % ROWS_PER_STEP == 0:
                yield []
            if has_key and rows.key_of(new) != key:
                rows.remove(transaction, key)
                moved.append((old, new))
                continue
            added += [(index, new, key) for index in rows.update(transaction, key, new)]
            self.updated(rows.table.name, key, old, new)
        for count, (old, new) in enumerate(moved, 1):
            self.updated(rows.table.name, rows.insert(transaction, new), old, new)
            if count % ROWS_PER_STEP == 0:
                yield []
        for count, (index, new, key) in enumerate(added, 1):
            index.add(transaction, new, key)
            if count % ROWS_PER_STEP == 0:
                yield []

    def _refuse(self, reference: Reference, moves: Mapping[Row, object]) -> Iterator[list[Row]]:
        """Raises `ForeignKeyViolationError` if a row still refers by one of these values."""
        yield []
        for item in reference.children(self._transaction, moves):
            if item is None:
                yield []
                continue
            _, row = item
            parent, child = reference.parent.table.name, reference.child.table.name
            shown = reference.shown_parent(reference.of_child(row) or ())
            raise ForeignKeyViolationError(
                f'update or delete on table "{parent}" violates foreign key constraint '
                f'"{reference.foreign_key.name}" on table "{child}"',
                detail=f'Key {shown} is still referenced from table "{child}".',
            )

    def _check_references(self) -> Iterator[list[Row]]:
        """The references of the rows that are new and still there."""
        known: set[tuple[Reference, Row]] = set()
        for count, (reference, key) in enumerate(self._unchecked, 1):
            if count % ROWS_PER_STEP == 0:
                yield []
            record = self._transaction.read_again(key)
            values = None if record is None else reference.of_child(reference.child.decode(record))
            if values is None or (reference, values) in known:
                continue
            if not reference.has_parent(self._transaction, values):
                raise nothing_referred_to(reference, values)
            known.add((reference, values))


def nothing_referred_to(reference: Reference, values: Row) -> ForeignKeyViolationError:
    """The error of a row that refers, by these values, to a row that is not there."""
    return ForeignKeyViolationError(
        f'insert or update on table "{reference.child.table.name}" violates foreign key constraint '
        f'"{reference.foreign_key.name}"',
        detail=f'Key {reference.shown_child(values)} is not present in table "{reference.parent.table.name}".',
    )
