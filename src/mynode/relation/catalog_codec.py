"""Catalog records: msgpack maps in which what is absent has its default, so that a field can be added any time.

| record      | fields                                                                                               |
|-------------|------------------------------------------------------------------------------------------------------|
| table       | format (3), id, name, columns, slots; primary_key, shortest_record (default: slots), checks,         |
|             | foreign_keys, referenced_by, indexes                                                                 |
| view        | format (3), name, columns (name, type as SQL text), query (SQL text), uses                           |
| a use       | name in the text, name now, columns (name in the text, slot)                                         |
| column      | name, type (SQL text), slot; not_null (default: false), default, identity, counter, missing (a row   |
|             | of one value, see `records`; default: NULL)                                                          |
| primary key | name, columns (positions)                                                                            |
| check       | name, condition                                                                                      |
| foreign key | name, columns (positions), table, referenced (names); on_delete, on_update (default: NO ACTION),     |
|             | match_full (default: false)                                                                          |
| index       | id, name, columns; unique, constraint, building (default: false)                                     |
| its columns | position; descending, nulls_first (default: false)                                                   |
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgpack

from mynode.base.invariant import invariant
from mynode.relation.records import decode_record, encode_record
from mynode.relation.schema import (
    Check,
    Column,
    ForeignKey,
    Identity,
    Index,
    KeyColumn,
    PrimaryKey,
    ReferentialAction,
    Table,
    View,
    ViewColumn,
    ViewUse,
)
from mynode.values.types import UNKNOWN, SqlType, type_from_text

_FORMAT: Final = 3

_Fields: TypeAlias = dict[str, Any]


def encode_table(table: Table) -> bytes:
    """The same bytes for equal tables."""
    primary_key = table.primary_key
    encoded: bytes = msgpack.packb(
        _without_defaults(
            {
                "format": _FORMAT,
                "id": table.id,
                "name": table.name,
                "columns": [_encode_column(column) for column in table.columns],
                "slots": table.slots,
                "shortest_record": None if table.shortest_record == table.slots else table.shortest_record,
                "primary_key": primary_key and {"name": primary_key.name, "columns": primary_key.columns},
                "checks": [{"name": check.name, "condition": check.condition} for check in table.checks],
                "foreign_keys": [_encode_foreign_key(foreign_key) for foreign_key in table.foreign_keys],
                "referenced_by": table.referenced_by,
                "indexes": [_encode_index(index) for index in table.indexes],
            },
            required=("id", "columns", "slots"),
        )
    )
    return encoded


def encode_view(view: View) -> bytes:
    """The same bytes for equal views."""
    fields: _Fields = {
        "format": _FORMAT,
        "name": view.name,
        "columns": [(column.name, column.type.name) for column in view.columns],
        "query": view.query,
        "uses": [(use.written, use.name, use.columns) for use in view.uses],
    }
    encoded: bytes = msgpack.packb(fields)
    return encoded


def decode_relation(record: bytes) -> Table | View:
    fields: _Fields = msgpack.unpackb(record, use_list=False)
    format_number = fields["format"]
    invariant(format_number == _FORMAT, f"catalog records of format {format_number} are not known")
    if "query" in fields:
        columns = tuple(ViewColumn(name, _decode_type(type_)) for name, type_ in fields["columns"])
        return View(fields["name"], columns, fields["query"], tuple(ViewUse(*use) for use in fields["uses"]))
    return _decode_table(fields)


def _decode_table(fields: _Fields) -> Table:
    primary_key = fields.get("primary_key")
    slots: int = fields["slots"]
    return Table(
        fields["id"],
        fields["name"],
        tuple(map(_decode_column, fields["columns"])),
        primary_key and PrimaryKey(**primary_key),
        slots,
        fields.get("shortest_record", slots),
        tuple(Check(**check) for check in fields.get("checks", ())),
        tuple(map(_decode_foreign_key, fields.get("foreign_keys", ()))),
        fields.get("referenced_by", ()),
        tuple(map(_decode_index, fields.get("indexes", ()))),
    )


def _encode_column(column: Column) -> _Fields:
    return _without_defaults(
        {
            "name": column.name,
            "type": column.type.name,
            "slot": column.slot,
            "not_null": column.not_null,
            "default": column.default,
            "identity": column.identity and column.identity.value,
            "counter": column.counter,
            "missing": None if column.missing is None else encode_record((column.missing,)),
        },
        required=("slot",),
    )


def _decode_column(fields: _Fields) -> Column:
    identity, missing = fields.get("identity"), fields.get("missing")
    return Column(
        fields["name"],
        _decode_type(fields["type"]),
        fields.get("not_null", False),
        fields["slot"],
        fields.get("default"),
        identity and Identity(identity),
        fields.get("counter", 0),
        None if missing is None else decode_record(missing)[0],
    )


def _decode_type(text: str) -> SqlType:
    found = type_from_text(text)
    if found is None:
        invariant(False, f"catalog records hold no type {text}")
        return UNKNOWN
    return found


def _encode_foreign_key(foreign_key: ForeignKey) -> _Fields:
    fields: _Fields = {
        "name": foreign_key.name,
        "columns": foreign_key.columns,
        "table": foreign_key.table,
        "referenced": foreign_key.referenced,
    }
    for field, action in (("on_delete", foreign_key.on_delete), ("on_update", foreign_key.on_update)):
        if action is not ReferentialAction.NO_ACTION:
            fields[field] = action.value
    if foreign_key.match_full:
        fields["match_full"] = True
    return fields


def _decode_foreign_key(fields: _Fields) -> ForeignKey:
    on_delete, on_update = (
        ReferentialAction(fields.get(field, ReferentialAction.NO_ACTION)) for field in ("on_delete", "on_update")
    )
    return ForeignKey(
        fields["name"],
        fields["columns"],
        fields["table"],
        fields["referenced"],
        on_delete,
        on_update,
        fields.get("match_full", False),
    )


def _encode_index(index: Index) -> _Fields:
    return _without_defaults(
        {
            "id": index.id,
            "name": index.name,
            "columns": [
                _without_defaults(
                    {
                        "position": column.position,
                        "descending": column.descending,
                        "nulls_first": column.nulls_first,
                    },
                    required=("position",),
                )
                for column in index.columns
            ],
            "unique": index.is_unique,
            "constraint": index.is_constraint,
            "building": not index.is_ready,
        },
        required=("id",),
    )


def _decode_index(fields: _Fields) -> Index:
    return Index(
        fields["id"],
        fields["name"],
        tuple(KeyColumn(**column) for column in fields["columns"]),
        fields.get("unique", False),
        fields.get("constraint", False),
        not fields.get("building", False),
    )


def _without_defaults(fields: _Fields, *, required: tuple[str, ...]) -> _Fields:
    """The fields that say something: not None, False or empty, unless they are required."""
    return {name: value for name, value in fields.items() if value or name in required}
