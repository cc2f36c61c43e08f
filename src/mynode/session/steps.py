"""What the steps of a statement are made of: effects with their answers taken in, and results as the outcome table
keeps them."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar, assert_never

import msgpack

from mynode.base.errors import MyNodeError, SqlError, error_from_wire
from mynode.base.ids import SessionId, Version
from mynode.machine.commands import TransactionCommand
from mynode.machine.outcomes import Committed, Conflicted, Outcome, Refused
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.session.api import Completion
from mynode.session.effects import Answer, OpenFreshView, OpenView, Propose, SessionEffect

T = TypeVar("T")
Steps: TypeAlias = Generator[SessionEffect, Answer, T]


def open_view(effect: OpenView | OpenFreshView) -> Steps[ReadView]:
    answer = yield effect
    if not isinstance(answer, ReadView):
        raise AssertionError(f"{effect} was answered with {answer}")
    return answer


def propose(
    session: SessionId, sequence: int, floor: Version, transaction: Transaction, answer: Completion | SqlError
) -> Steps[Outcome]:
    """Propose what the transaction read and wrote, with the client's answer if it commits.

    An answer that is an error writes nothing but itself into the outcome table.
    """
    outcome = yield Propose(
        TransactionCommand(
            session=session,
            sequence=sequence,
            floor=floor,
            view=transaction.view.version,
            reads=transaction.reads,
            writes=() if isinstance(answer, SqlError) else transaction.writes.in_order(),
            result=encode_result(answer),
        )
    )
    if not isinstance(outcome, Committed | Conflicted | Refused):
        raise AssertionError(f"a proposal was answered with {outcome}")
    return outcome


def encode_result(answer: Completion | SqlError) -> bytes:
    """msgpack [tag, rows affected], or [sqlstate, message, position, hint, detail] of an error."""
    match answer:
        case Completion(tag, rows_affected):
            encoded: bytes = msgpack.packb((tag, rows_affected))
        case SqlError():
            encoded = msgpack.packb((answer.sqlstate, answer.message, answer.position, answer.hint, answer.detail))
        case _:
            assert_never(answer)
    return encoded


def decode_result(result: bytes) -> Completion | MyNodeError:
    match msgpack.unpackb(result):
        case [tag, rows_affected]:
            return Completion(tag, rows_affected)
        case [sqlstate, message, position, hint, detail]:
            return error_from_wire(sqlstate, message, position=position, hint=hint, detail=detail)
        case other:
            raise AssertionError(f"an outcome of {len(other)} elements")
