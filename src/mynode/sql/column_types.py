"""ALTER COLUMN ... TYPE: what a column's values and its default become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mynode.base.sql_errors import DatatypeMismatchError, FeatureNotSupportedError, InvalidParameterValueError
from mynode.relation.catalog import Catalog
from mynode.relation.schema import Column, Table
from mynode.sql import ast
from mynode.sql.binder import Binder
from mynode.sql.coercion import coerce
from mynode.sql.expressions import Expression, PlanColumn
from mynode.sql.names import resolve_type
from mynode.sql.parameters import ParameterTypes
from mynode.sql.scope import ColumnIds, Scope, Source
from mynode.sql.stored_expressions import default_of
from mynode.sql.views import uses_column
from mynode.values.casts import CastLevel
from mynode.values.types import BPCHAR, INTEGER, NUMERIC, TEXT, SqlType


def with_type(column: Column, action: ast.SetType, ids: ColumnIds) -> Column:
    """The column with its new type. Raises `DatatypeMismatchError` if its default has no place in that."""
    changed = replace(column, type=resolve_type(action.type))
    if column.identity is not None:
        if changed.type is not INTEGER:
            raise InvalidParameterValueError(
                "identity column type must be smallint, integer, or bigint", position=action.type.position
            )
        return changed
    try:
        default_of(changed, ids)
    except DatatypeMismatchError:
        raise DatatypeMismatchError(
            f'default for column "{column.name}" cannot be cast automatically to type {changed.type}',
            position=action.column.position,
        ) from None
    return changed


def is_widening(old: SqlType, new: SqlType) -> bool:
    """Whether all values of the old type are as they are in the new one, so that rows can stay."""
    if old.base in _TEXTS and new.base in _TEXTS:
        is_long_enough = not new.modifiers or (bool(old.modifiers) and old.modifiers <= new.modifiers)
        return is_long_enough and (old.base is BPCHAR or new.base is TEXT)
    if old.base is not new.base:
        return False
    if not new.modifiers or old == new:
        return new.base is NUMERIC or old == new
    if not old.modifiers:
        return False
    return new.base is NUMERIC and old.modifiers[0] <= new.modifiers[0] and old.modifiers[1:] == new.modifiers[1:]


_TEXTS: Final = (TEXT, BPCHAR)
"""Of values that are texts; those of BPCHAR have no spaces at the end."""


def converted(
    value: Expression,
    action: ast.SetType,
    changed: Column,
    table_name: str,
    columns: Sequence[PlanColumn],
    ids: ColumnIds,
) -> Expression:
    """The value, or that of USING over the table's columns, as one of the new type. Raises `DatatypeMismatchError`."""
    parameters = ParameterTypes({})
    position = action.column.position
    if action.using is not None:
        scope = Scope((Source(table_name, tuple(columns)),))
        value = Binder(scope, parameters, ids, "transform expressions").bind(action.using)
        position = action.using.position
    found = coerce(value, changed.type, CastLevel.ASSIGNMENT, parameters, position)
    if found is not None:
        return found
    what, hint = f'column "{changed.name}"', f'You might need to specify "USING {changed.name}::{changed.type}".'
    if action.using is not None:
        what, hint = f"result of USING clause for {what}", "You might need to add an explicit cast."
    raise DatatypeMismatchError(
        f"{what} cannot be cast automatically to type {changed.type}", position=position, hint=hint
    )


def refuse_viewed(column: Column, table: Table, catalog: Catalog, position: int) -> None:
    """Raises `FeatureNotSupportedError` if a view uses the column."""
    for name, view in sorted(catalog.views.items()):
        if column in table.columns and view.uses_any((table.name,)) and uses_column(view, table, column, catalog):
            raise FeatureNotSupportedError(
                "cannot alter type of a column used by a view or rule",
                detail=f'view {name} depends on column "{column.name}"',
                position=position,
            )
