"""Functions and operators on DATE and TIMESTAMP."""

from __future__ import annotations

from datetime import date
from typing import Final

from mynode.sql.functions.function import Function
from mynode.values.datetimes import date_plus_days
from mynode.values.types import DATE, INTEGER


def days_between(left: date, right: date) -> int:
    return left.toordinal() - right.toordinal()


DATES: Final = (
    Function("+", (DATE, INTEGER), DATE, date_plus_days, is_operator=True),
    Function("+", (INTEGER, DATE), DATE, lambda days, value: date_plus_days(value, days), is_operator=True),
    Function("-", (DATE, INTEGER), DATE, lambda value, days: date_plus_days(value, -days), is_operator=True),
    Function("-", (DATE, DATE), INTEGER, days_between, is_operator=True),
)
