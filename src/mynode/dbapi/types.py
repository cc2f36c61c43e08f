"""PEP 249's type objects, which equal the type codes in `Cursor.description`, and its constructors.

A type code is the SQL type's name. There are no date and time types yet, so PEP 249's constructors for them are absent,
as it allows, and `DATETIME` and `ROWID` equal no type code.
"""

from __future__ import annotations

from typing import Final


class TypeObject:
    """Equal to each of its type names."""

    def __init__(self, name: str, *type_names: str) -> None:
        self._name = name
        self._type_names = frozenset(type_names)

    def __eq__(self, other: object) -> bool:
        return other is self or (isinstance(other, str) and other in self._type_names)

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return self._name


STRING: Final = TypeObject("STRING", "TEXT")
BINARY: Final = TypeObject("BINARY", "BLOB", "BYTEA")
NUMBER: Final = TypeObject("NUMBER", "BOOLEAN", "INTEGER", "FLOAT")
DATETIME: Final = TypeObject("DATETIME")
ROWID: Final = TypeObject("ROWID")

Binary = bytes
