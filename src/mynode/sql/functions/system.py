"""Functions that tell of the system, the time and chance rather than of their arguments."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, datetime
from random import Random
from typing import Any, Final, Protocol

from mynode import __version__
from mynode.relation.counters import Numbers
from mynode.sql.functions.function import Function
from mynode.values.types import DATE, FLOAT, INTEGER, TEXT, TIMESTAMP, TIMESTAMPTZ, UUID


class _Context(Protocol):
    random: Random
    now: datetime
    clock: Callable[[], datetime] | None
    kept: dict[object, Any]
    numbers: Numbers


def _random(context: _Context) -> float:
    return context.random.random()


def _random_uuid(context: _Context) -> uuid.UUID:
    return uuid.UUID(int=context.random.getrandbits(128), version=4)


def _now(context: _Context) -> datetime:
    return context.now


def _today(context: _Context) -> date:
    return context.now.date()


def _local_now(context: _Context) -> datetime:
    return context.now.replace(tzinfo=None)


def _clock(context: _Context) -> datetime:
    return context.now if context.clock is None else context.clock()


def _statement_time(context: _Context) -> datetime:
    """The time at which the statement first asks for it."""
    found: datetime = context.kept.get(_statement_time) or _clock(context)
    context.kept[_statement_time] = found
    return found


def next_number(counter: int) -> Function:
    """The next number of a counter. Raises `NumbersNeeded` when it is called."""

    def take(context: _Context) -> int:
        return context.numbers.next(counter)

    return Function("next number", (), INTEGER, take, takes_context=True, volatile=True)


SYSTEM: Final = (
    Function("version", (), TEXT, lambda: f"MyNode {__version__}"),
    Function("current_database", (), TEXT, lambda: "mynode"),
    Function("current_catalog", (), TEXT, lambda: "mynode"),
    Function("current_schema", (), TEXT, lambda: "public"),
    *(Function(name, (), TEXT, lambda: "mynode") for name in ("current_user", "session_user", "current_role")),
    Function("random", (), FLOAT, _random, takes_context=True, volatile=True),
    Function("gen_random_uuid", (), UUID, _random_uuid, takes_context=True, volatile=True),
    *(
        Function(name, (), TIMESTAMPTZ, _now, takes_context=True)
        for name in ("now", "current_timestamp", "transaction_timestamp")
    ),
    Function("statement_timestamp", (), TIMESTAMPTZ, _statement_time, takes_context=True),
    Function("clock_timestamp", (), TIMESTAMPTZ, _clock, takes_context=True, volatile=True),
    Function("current_date", (), DATE, _today, takes_context=True),
    Function("localtimestamp", (), TIMESTAMP, _local_now, takes_context=True),
)
