"""The SQL types and the Python values that carry them.

| type    | Python value | name in messages   | also written as                        |
|---------|--------------|--------------------|----------------------------------------|
| BOOLEAN | bool         | boolean            | BOOL                                   |
| INTEGER | int, 64 bits | integer            | INT, BIGINT, SMALLINT, INT2/4/8        |
| FLOAT   | float        | double precision   | DOUBLE PRECISION, DOUBLE, REAL, FLOAT8 |
| TEXT    | str          | text               | VARCHAR, CHARACTER VARYING, STRING     |
| UNKNOWN | None or str  | unknown            | not: NULL, a quoted literal, a parameter |

NULL is None in every type. UNKNOWN lasts until the context decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

Value: TypeAlias = bool | int | float | str | bytes | None
"""A SQL value as Python holds it."""

Row: TypeAlias = tuple[Value, ...]

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type of columns and expressions. `name` is what catalogs and clients see, `label` what messages say."""

    name: str
    label: str

    def __str__(self) -> str:
        return self.label


BOOLEAN: Final = SqlType("BOOLEAN", "boolean")
INTEGER: Final = SqlType("INTEGER", "integer")
FLOAT: Final = SqlType("FLOAT", "double precision")
TEXT: Final = SqlType("TEXT", "text")
UNKNOWN: Final = SqlType("UNKNOWN", "unknown")

_NAMES: Final = {
    BOOLEAN: "BOOLEAN BOOL",
    INTEGER: "INTEGER INT BIGINT SMALLINT INT2 INT4 INT8",
    FLOAT: "FLOAT DOUBLE REAL FLOAT4 FLOAT8",
    TEXT: "TEXT VARCHAR STRING",
}

TYPES_BY_NAME: Final[dict[str, SqlType]] = {
    "DOUBLE PRECISION": FLOAT,
    "CHARACTER VARYING": TEXT,
    **{name: sql_type for sql_type, names in _NAMES.items() for name in names.split()},
}
"""The type that a name in a column definition or a cast means; names in upper case, words parted by one space."""

_TYPES_OF_PYTHON: Final[dict[type, SqlType]] = {bool: BOOLEAN, int: INTEGER, float: FLOAT, str: TEXT}


def type_of_python(python_type: type) -> SqlType | None:
    """The SQL type whose values are of exactly this Python type, if any."""
    return _TYPES_OF_PYTHON.get(python_type)
