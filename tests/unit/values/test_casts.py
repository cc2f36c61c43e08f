"""Which casts there are, and how they convert."""

from __future__ import annotations

import pytest

from mynode.base.sql_errors import NumericOutOfRangeError
from mynode.values.casts import CastLevel, check_integer, find_cast, float_to_integer
from mynode.values.types import (
    BOOLEAN,
    BYTEA,
    DATE,
    FLOAT,
    INTEGER,
    NUMERIC,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    SqlType,
)


@pytest.mark.parametrize(
    ("source", "target", "level"),
    [
        (INTEGER, FLOAT, CastLevel.IMPLICIT),
        (FLOAT, INTEGER, CastLevel.ASSIGNMENT),
        (FLOAT, TEXT, CastLevel.ASSIGNMENT),
        (TEXT, INTEGER, CastLevel.EXPLICIT),
        (BOOLEAN, INTEGER, CastLevel.EXPLICIT),
        (INTEGER, NUMERIC, CastLevel.IMPLICIT),
        (NUMERIC, FLOAT, CastLevel.IMPLICIT),
        (FLOAT, NUMERIC, CastLevel.ASSIGNMENT),
        (NUMERIC, INTEGER, CastLevel.ASSIGNMENT),
        (DATE, TIMESTAMPTZ, CastLevel.IMPLICIT),
        (TIMESTAMP, TIMESTAMPTZ, CastLevel.IMPLICIT),
        (TIMESTAMPTZ, TIMESTAMP, CastLevel.ASSIGNMENT),
        (TIMESTAMP, DATE, CastLevel.ASSIGNMENT),
        (UUID, TEXT, CastLevel.ASSIGNMENT),
        (TEXT, UUID, CastLevel.EXPLICIT),
        (UUID, BYTEA, None),
        (DATE, INTEGER, None),
        (BOOLEAN, FLOAT, None),
        (FLOAT, BOOLEAN, None),
    ],
)
def test_a_cast_happens_from_its_level_on(source: SqlType, target: SqlType, level: CastLevel | None) -> None:
    for asked in CastLevel:
        assert (find_cast(source, target, asked) is not None) == (level is not None and level <= asked)


@pytest.mark.parametrize(("value", "rounded"), [(0.5, 0), (1.5, 2), (-2.5, -2), (2.6, 3), (-(2.0**63), -(2**63))])
def test_floats_are_rounded_half_to_even(value: float, rounded: int) -> None:
    assert float_to_integer(value) == rounded


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2.0**63, -1e19])
def test_floats_beyond_64_bits_are_refused(value: float) -> None:
    with pytest.raises(NumericOutOfRangeError):
        float_to_integer(value)


def test_integers_have_64_bits() -> None:
    assert check_integer(2**63 - 1) == 2**63 - 1
    assert check_integer(-(2**63)) == -(2**63)
    for value in (2**63, -(2**63) - 1):
        with pytest.raises(NumericOutOfRangeError):
            check_integer(value)
