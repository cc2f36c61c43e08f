"""How an actor carries out steps: the sync generators of `mynode.session`, which yield what they need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from mynode.base.errors import MyNodeError
from mynode.session.effects import Answer, SessionEffect
from mynode.session.steps import Steps

T = TypeVar("T")


async def drive(
    steps: Steps[T], perform: Callable[[SessionEffect], Awaitable[Answer]], error: MyNodeError | None = None
) -> T:
    """Carry out what the steps ask for, until they are done; what they return.

    What `perform` fails with is thrown in at the step that asked for it, and `error` at the current one.
    """
    answer: Answer = None
    while True:
        try:
            effect = steps.send(answer) if error is None else steps.throw(error)
        except StopIteration as stop:
            result: T = stop.value
            return result
        answer, error = None, None
        try:
            answer = await perform(effect)
        except MyNodeError as failure:
            error = failure
