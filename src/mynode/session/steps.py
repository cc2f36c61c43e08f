"""What the steps of a statement are made of: effects with their answers taken in, and results as the outcome table
keeps them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar, assert_never

import msgpack

from mynode.base.errors import MyNodeError, OutcomeUnknownError
from mynode.base.ids import SessionId, Version
from mynode.base.limits import MAX_STORED_RESULT_BYTES
from mynode.base.remote_errors import error_from_wire
from mynode.base.sql_errors import ProgramLimitExceededError, SqlError
from mynode.machine.commands import Command, TransactionCommand
from mynode.machine.outcomes import Committed, Conflicted, Outcome, Refused
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.relation.records import decode_record, encode_record
from mynode.session.api import ColumnInfo, Completion, Row, StatementRequest
from mynode.session.effects import Answer, OpenFreshView, OpenView, Propose, RunInLane, SessionEffect
from mynode.session.lane_api import LaneAnswer, LaneRefusal, LaneSettled
from mynode.sql.engine import ParsedStatement

T = TypeVar("T")
Steps: TypeAlias = Generator[SessionEffect, Answer, T]


def open_view(effect: OpenView | OpenFreshView) -> Steps[ReadView]:
    answer = yield effect
    if not isinstance(answer, ReadView):
        raise AssertionError(f"{effect} was answered with {answer}")
    return answer


@dataclass(slots=True)
class Write:
    """A statement by itself, until it has an outcome.

    Attributes:
        floor: a version that existed before the first attempt at it.
        is_retry: there may be an attempt whose outcome is not known.
    """

    request: StatementRequest
    parsed: ParsedStatement
    floor: Version
    is_retry: bool


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a statement that writes answers. `columns` and `rows` are those of RETURNING."""

    completion: Completion
    columns: tuple[ColumnInfo, ...] = ()
    rows: tuple[Row, ...] | list[Row] = ()

    def check_size(self) -> None:
        """Raises `ProgramLimitExceededError` beyond `limits.MAX_STORED_RESULT_BYTES`."""
        if self.rows and len(encode_result(self)) > MAX_STORED_RESULT_BYTES:
            raise ProgramLimitExceededError(
                f"the rows returned are over the limit of {MAX_STORED_RESULT_BYTES} bytes",
                hint="Let the statement return less, or run it in a transaction.",
            )


def propose(
    session: SessionId, sequence: int, floor: Version, transaction: Transaction, answer: WriteResult | SqlError
) -> Steps[Outcome]:
    """Propose what the transaction read and wrote, with the client's answer if it commits.

    An answer that is an error writes nothing but itself into the outcome table.
    """
    return (
        yield from propose_command(
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
    )


def propose_command(command: Command) -> Steps[Outcome]:
    outcome = yield Propose(command)
    if not isinstance(outcome, Committed | Conflicted | Refused):
        raise AssertionError(f"a proposal was answered with {outcome}")
    return outcome


def run_in_lane(request: StatementRequest) -> Steps[LaneAnswer]:
    answer = yield RunInLane(request)
    if not isinstance(answer, LaneSettled | LaneRefusal):
        raise AssertionError(f"a statement for the lane was answered with {answer}")
    return answer


def encode_result(answer: WriteResult | SqlError) -> bytes:
    """An answer as the outcome table keeps it, a msgpack array.

    | answer    | array                                                                       |
    |-----------|-----------------------------------------------------------------------------|
    | no rows   | [tag, rows affected]                                                        |
    | rows      | [tag, rows affected, columns: [[name, type name], …], rows: [record, …]]    |
    | error     | [sqlstate, message, position, hint, detail]                                 |
    """
    match answer:
        case WriteResult(Completion(tag, rows_affected), columns, rows):
            if not columns:
                return _packed((tag, rows_affected))
            shape = [(column.name, column.type_name) for column in columns]
            return _packed((tag, rows_affected, shape, [encode_record(row) for row in rows]))
        case SqlError():
            return _packed((answer.sqlstate, answer.message, answer.position, answer.hint, answer.detail))
        case _:
            assert_never(answer)


def decode_result(result: bytes) -> WriteResult | MyNodeError:
    match msgpack.unpackb(result):
        case [tag, rows_affected]:
            return WriteResult(Completion(tag, rows_affected))
        case [tag, rows_affected, shape, records]:
            columns = tuple(ColumnInfo(name, type_name) for name, type_name in shape)
            return WriteResult(Completion(tag, rows_affected), columns, list(map(decode_record, records)))
        case [sqlstate, message, position, hint, detail]:
            return error_from_wire(sqlstate, message, position=position, hint=hint, detail=detail)
        case other:
            raise AssertionError(f"an outcome of {len(other)} elements")


def _packed(fields: tuple[object, ...]) -> bytes:
    packed: bytes = msgpack.packb(fields)
    return packed


def is_forgotten(outcome: Outcome) -> bool:
    """Whether the outcome table cannot tell a first attempt from a late one: nothing was written."""
    return isinstance(outcome, Refused) and outcome.sqlstate == OutcomeUnknownError.sqlstate
