"""Functions that tell of the system rather than of their arguments."""

from __future__ import annotations

from random import Random
from typing import Final, Protocol

from mynode import __version__
from mynode.sql.functions.function import Function
from mynode.values.types import FLOAT, TEXT


class _Context(Protocol):
    random: Random


def _random(context: _Context) -> float:
    return context.random.random()


SYSTEM: Final = (
    Function("version", (), TEXT, lambda: f"MyNode {__version__}"),
    Function("random", (), FLOAT, _random, volatile=True),
)
