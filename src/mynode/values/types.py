"""The SQL types and the Python values that carry them.

| type        | Python value             | name in messages            | also written as                        |
|-------------|--------------------------|-----------------------------|----------------------------------------|
| BOOLEAN     | bool                     | boolean                     | BOOL                                   |
| INTEGER     | int, 64 bits             | integer                     | INT, BIGINT, SMALLINT, INT2/4/8        |
| NUMERIC     | Decimal, exponent <= 0   | numeric                     | DECIMAL, DEC; with (precision, scale)  |
| FLOAT       | float                    | double precision            | DOUBLE PRECISION, DOUBLE, REAL, FLOAT8 |
| TEXT        | str                      | text                        | VARCHAR(n), STRING                     |
| BPCHAR      | str, no spaces at its end | character                  | CHAR(n), CHARACTER(n)                  |
| BYTEA       | bytes                    | bytea                       |                                        |
| DATE        | date, not a datetime     | date                        |                                        |
| TIMESTAMP   | datetime without tzinfo  | timestamp without time zone | with (precision)                       |
| TIMESTAMPTZ | datetime in UTC          | timestamp with time zone    | TIMESTAMP WITH TIME ZONE               |
| UUID        | uuid.UUID                | uuid                        |                                        |
| UNKNOWN     | None or str              | unknown                     | not: NULL, a quoted literal, a parameter |

NULL is None in every type. UNKNOWN lasts until the context decides.

A type with modifiers, as NUMERIC(10,2), is that of a column or of a cast. Its values are values of its `base`, which is
what expressions have: the modifiers are applied when a value is stored or cast (`restrictions`).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Final, TypeAlias

from mynode.base.sql_errors import InvalidParameterValueError, SqlSyntaxError

Value: TypeAlias = bool | int | float | Decimal | str | bytes | date | uuid.UUID | None
"""A SQL value as Python holds it. (A datetime is a date to Python.)"""

Row: TypeAlias = tuple[Value, ...]

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1

MAX_PRECISION: Final = 1_000
"""Digits that NUMERIC(precision, scale) may ask for, before and behind the point together."""
MAX_LENGTH: Final = 10_485_760
"""Characters that VARCHAR(n) and CHAR(n) may ask for."""
MAX_FRACTION_DIGITS: Final = 6
"""Of the seconds of a timestamp."""


class Category(Enum):
    """Types of one category are compared and combined; `SqlType.preferred` says which one then wins."""

    BOOLEAN = "B"
    NUMBER = "N"
    STRING = "S"
    TIME = "D"
    OTHER = "U"
    UNKNOWN = "X"


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type of columns and expressions.

    Attributes:
        name: what catalogs and clients see; `type_from_text` reads it back.
        label: what messages say.
        preferred: the type of its category that a choice between several falls on.
        modifiers: the numbers in parentheses.
    """

    name: str
    label: str
    category: Category = Category.OTHER
    preferred: bool = False
    modifiers: tuple[int, ...] = ()
    unmodified: SqlType | None = None

    def __str__(self) -> str:
        return self.label

    @property
    def base(self) -> SqlType:
        """The type without modifiers, which is that of its values in expressions."""
        return self.unmodified or self


BOOLEAN: Final = SqlType("BOOLEAN", "boolean", Category.BOOLEAN, preferred=True)
INTEGER: Final = SqlType("INTEGER", "integer", Category.NUMBER)
NUMERIC: Final = SqlType("NUMERIC", "numeric", Category.NUMBER)
FLOAT: Final = SqlType("FLOAT", "double precision", Category.NUMBER, preferred=True)
TEXT: Final = SqlType("TEXT", "text", Category.STRING, preferred=True)
BPCHAR: Final = SqlType("BPCHAR", "character", Category.STRING)
BYTEA: Final = SqlType("BYTEA", "bytea")
DATE: Final = SqlType("DATE", "date", Category.TIME)
TIMESTAMP: Final = SqlType("TIMESTAMP", "timestamp without time zone", Category.TIME)
TIMESTAMPTZ: Final = SqlType("TIMESTAMP WITH TIME ZONE", "timestamp with time zone", Category.TIME, preferred=True)
UUID: Final = SqlType("UUID", "uuid")
UNKNOWN: Final = SqlType("UNKNOWN", "unknown", Category.UNKNOWN)
ANY: Final = SqlType("ANY", "any", Category.UNKNOWN)
"""Of a function's parameter that takes values of every type. No value and no expression has it."""

RECORD: Final = SqlType("RECORD", "record")
"""Of a row as one value, a tuple, between a sub-query and those who take it apart."""
STORED_TYPES: Final = (BOOLEAN, INTEGER, NUMERIC, FLOAT, TEXT, BPCHAR, BYTEA, DATE, TIMESTAMP, TIMESTAMPTZ, UUID)
"""The types that columns can have, without modifiers."""

WITH_NAN: Final = frozenset((FLOAT, NUMERIC))
"""The types with a value that Python's comparisons do not order: NaN."""

_NAMES: Final = {
    BOOLEAN: ("BOOLEAN", "BOOL"),
    INTEGER: ("INTEGER", "INT", "BIGINT", "SMALLINT", "INT2", "INT4", "INT8"),
    NUMERIC: ("NUMERIC", "DECIMAL", "DEC"),
    FLOAT: ("FLOAT", "DOUBLE", "DOUBLE PRECISION", "REAL", "FLOAT4", "FLOAT8"),
    TEXT: ("TEXT", "STRING"),
    BPCHAR: ("BPCHAR",),
    BYTEA: ("BYTEA",),
    DATE: ("DATE",),
    TIMESTAMP: ("TIMESTAMP", "TIMESTAMP WITHOUT TIME ZONE"),
    TIMESTAMPTZ: ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"),
    UUID: ("UUID",),
}
_BY_NAME: Final = {name: sql_type for sql_type, names in _NAMES.items() for name in names}
_VARCHAR: Final = frozenset(("VARCHAR", "CHARACTER VARYING", "CHAR VARYING"))
_CHAR: Final = frozenset(("CHAR", "CHARACTER"))
TYPE_NAMES: Final = frozenset((*_BY_NAME, *_VARCHAR, *_CHAR))
"""All names that `type_named` knows."""
_TEXT_FORM: Final = re.compile(r"([A-Z0-9 ]+?)(?:\((\d+(?:,\d+)*)\))?( WITH TIME ZONE)?", re.ASCII)


def type_named(name: str, arguments: tuple[int, ...] = ()) -> SqlType | None:
    """The type that a name in a column definition or a cast means, with the numbers in the parentheses after it.

    The name is in upper case, its words parted by one space; None if no type has it.

    Raises:
        InvalidParameterValueError: a number is out of its bounds.
        SqlSyntaxError: the type takes no numbers, or not so many.
    """
    if name in _VARCHAR:
        return _of_length("VARCHAR", "character varying", arguments) if arguments else TEXT
    if name in _CHAR:
        return _of_length("CHAR", "character", arguments or (1,))
    found = _BY_NAME.get(name)
    if not arguments or found is None:
        return found
    if found is NUMERIC:
        return _numeric(arguments)
    if found in (TIMESTAMP, TIMESTAMPTZ) and len(arguments) == 1:
        return _of_precision(found, arguments[0])
    if name == "FLOAT" and len(arguments) == 1:
        _check_bounds("precision for type float", arguments[0], 1, 53)
        return FLOAT
    raise SqlSyntaxError(f'type modifier is not allowed for type "{found}"')


def type_from_text(text: str) -> SqlType | None:
    """The type with this `SqlType.name`, if there is one; raises what `type_named` does."""
    form = _TEXT_FORM.fullmatch(text)
    if form is None:
        return None
    name, arguments, zone = form.groups()
    numbers = tuple(map(int, arguments.split(","))) if arguments else ()
    return type_named(name + (zone or ""), numbers)


def _numeric(arguments: tuple[int, ...]) -> SqlType:
    if len(arguments) > 2:
        raise InvalidParameterValueError("invalid NUMERIC type modifier")
    precision, scale = arguments if len(arguments) == 2 else (arguments[0], 0)
    _check_bounds("NUMERIC precision", precision, 1, MAX_PRECISION)
    _check_bounds("NUMERIC scale", scale, 0, MAX_PRECISION)
    numbers = f"({precision},{scale})"
    return _modified(NUMERIC, f"NUMERIC{numbers}", f"numeric{numbers}", (precision, scale))


def _of_length(name: str, label: str, arguments: tuple[int, ...]) -> SqlType:
    if len(arguments) != 1:
        raise SqlSyntaxError(f'type "{label}" takes one number')
    _check_bounds(f"length for type {name.lower()}", arguments[0], 1, MAX_LENGTH)
    base = BPCHAR if name == "CHAR" else TEXT
    return _modified(base, f"{name}({arguments[0]})", f"{label}({arguments[0]})", arguments)


def _of_precision(base: SqlType, digits: int) -> SqlType:
    _check_bounds("precision of a timestamp", digits, 0, MAX_FRACTION_DIGITS)
    name, label = (
        text.replace("TIMESTAMP", f"TIMESTAMP({digits})").replace("timestamp", f"timestamp({digits})")
        for text in (base.name, base.label)
    )
    return _modified(base, name, label, (digits,))


def _modified(base: SqlType, name: str, label: str, modifiers: tuple[int, ...]) -> SqlType:
    return SqlType(name, label, base.category, base.preferred, modifiers, base)


def _check_bounds(what: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise InvalidParameterValueError(f"{what} {number} must be between {least} and {most}")


class AwareDatetime(datetime):
    """Stands in `python_types` for a datetime with a time zone. No value is of this class."""


_TYPES_OF_PYTHON: Final[dict[type, SqlType]] = {
    bool: BOOLEAN,
    int: INTEGER,
    Decimal: NUMERIC,
    float: FLOAT,
    str: TEXT,
    bytes: BYTEA,
    date: DATE,
    datetime: TIMESTAMP,
    AwareDatetime: TIMESTAMPTZ,
    uuid.UUID: UUID,
}


def python_types(values: Iterable[Value]) -> tuple[type, ...]:
    """The Python types of the values, those of datetimes by whether they have a time zone."""
    types = tuple(map(type, values))
    if datetime in types:
        return tuple(
            AwareDatetime if isinstance(value, datetime) and value.tzinfo is not None else type(value)
            for value in values
        )
    return types


def type_of_python(python_type: type) -> SqlType | None:
    """The SQL type whose values are of exactly this Python type, if any."""
    return _TYPES_OF_PYTHON.get(python_type)
