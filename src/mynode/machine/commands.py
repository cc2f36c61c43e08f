"""The commands in the log's entries, and their encoding.

A command is a msgpack array whose first element is its tag:

| tag | command     | further elements                                                       |
|-----|-------------|------------------------------------------------------------------------|
| 1   | transaction | session, sequence, floor, view, reads, writes, result, time            |
| 2   | batch       | view, reads, writes, requests, time                                    |
| 3   | retain      | session, sequence, floor, entries, result, time                        |

| element     | type                                                                                        |
|-------------|---------------------------------------------------------------------------------------------|
| session     | bin, 16 bytes                                                                               |
| sequence    | unsigned, from 1                                                                            |
| floor, view | unsigned: versions                                                                          |
| reads       | array: keys, ranges, present; see `mvcc.readset`                                            |
| keys        | array of bin                                                                                |
| ranges      | array, flat: low (bin), high (bin, or nil: to the end), low, high, …                        |
| present     | array of bin: keys                                                                          |
| writes      | array, flat: key (bin), value (bin, or nil: delete), key, value, …; keys strictly ascending |
| result      | bin, opaque                                                                                 |
| time        | unsigned: ms since 1970, at least 0                                                          |
| requests    | array, at least one: [session, sequence, floor, result]; sessions strictly ascending        |
| entries     | unsigned, from 1 to `limits.MAX_RETENTION_ENTRIES`                                          |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import lt
from typing import Final, TypeAlias, TypeGuard, assert_never

import msgpack

from mynode.base.errors import ProtocolViolationError
from mynode.base.ids import SessionId, Version
from mynode.base.limits import MAX_RETENTION_ENTRIES, MAX_TRANSACTION_BYTES
from mynode.base.sql_errors import ProgramLimitExceededError
from mynode.mvcc import keyspace
from mynode.mvcc.readset import ReadSet
from mynode.mvcc.writeset import Write

_TRANSACTION_TAG: Final = 1
_BATCH_TAG: Final = 2
_RETAIN_TAG: Final = 3
_SESSION_BYTES: Final = 16
_TIME_MAX: Final = 2**62
_BYTES_ONLY: Final = frozenset({bytes})
_BYTES_OR_NIL: Final = frozenset({bytes, type(None)})


@dataclass(frozen=True, slots=True)
class TransactionCommand:
    """What one transaction read and wrote; applying it validates the reads, then writes all or nothing.

    Attributes:
        session, sequence: name the client's statement, so that a retry finds the first outcome.
        floor: a version that existed before the client first sent the statement, so that no attempt at it can have
            been applied at or below `floor`. The client sends the newest version it has seen; see `OutcomeTable`.
        view: the version of the read view that all reads rest on.
        reads: what must be unchanged since `view`.
        writes: in key order.
        result: the client's answer if it commits, kept in the outcome table.
        time_ms: by the proposer's clock, since 1970; 0 if it has none.
    """

    session: SessionId
    sequence: int
    floor: Version
    view: Version
    reads: ReadSet
    writes: tuple[Write, ...]
    result: bytes
    time_ms: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One statement of a batch; the fields are as in `TransactionCommand`."""

    session: SessionId
    sequence: int
    floor: Version
    result: bytes


@dataclass(frozen=True, slots=True)
class BatchCommand:
    """Statements of several sessions, run one after another as one transaction. All of them are applied, or none.

    Attributes:
        view, reads, writes, time_ms: as in `TransactionCommand`.
        requests: in the order of their sessions, each session once.
    """

    view: Version
    reads: ReadSet
    writes: tuple[Write, ...]
    requests: tuple[Request, ...]
    time_ms: int = 0


@dataclass(frozen=True, slots=True)
class RetainCommand:
    """Keep so many entries of the past from now on; see `mvcc.retention`. It rests on no view.

    Attributes:
        session, sequence, floor, result, time_ms: as in `TransactionCommand`.
    """

    session: SessionId
    sequence: int
    floor: Version
    entries: int
    result: bytes
    time_ms: int = 0


Command: TypeAlias = TransactionCommand | BatchCommand | RetainCommand


def encode_command(command: Command) -> bytes:
    """The payload of the command's entry.

    Raises:
        ProgramLimitExceededError: it is longer than `limits.MAX_TRANSACTION_BYTES`.
    """
    fields: list[object]
    match command:
        case TransactionCommand(session, sequence, floor, result=result):
            fields = [_TRANSACTION_TAG, session, sequence, floor, *_transaction(command), result, command.time_ms]
        case BatchCommand(requests=requests):
            listed = [(each.session, each.sequence, each.floor, each.result) for each in requests]
            fields = [_BATCH_TAG, *_transaction(command), listed, command.time_ms]
        case RetainCommand(session, sequence, floor, kept, result):
            fields = [_RETAIN_TAG, session, sequence, floor, kept, result, command.time_ms]
        case _:
            assert_never(command)
    encoded: bytes = msgpack.packb(fields)
    if len(encoded) > MAX_TRANSACTION_BYTES:
        raise ProgramLimitExceededError(
            f"the transaction takes {len(encoded)} bytes, more than {MAX_TRANSACTION_BYTES}",
            hint="Split it into smaller ones.",
        )
    return encoded


def _transaction(command: TransactionCommand | BatchCommand) -> tuple[object, ...]:
    reads = command.reads
    return (
        command.view,
        (list(reads.keys), list(chain.from_iterable(reads.ranges)), list(reads.present)),
        list(chain.from_iterable(command.writes)),
    )


def decode_command(payload: bytes) -> Command:
    """The command in an entry's payload.

    Raises:
        ProtocolViolationError: it is none. Every node finds the same, as it depends on nothing but the bytes.
    """
    match _unpacked(payload):
        case [
            1,
            bytes() as session,
            int() as sequence,
            int() as floor,
            int() as view,
            list() as reads,
            list() as writes,
            bytes() as result,
            int() as time_ms,
        ] if (
            len(session) == _SESSION_BYTES
            and sequence > 0
            and floor >= 0
            and view >= 0
            and _are_writes(writes)
            and 0 <= time_ms <= _TIME_MAX
        ):
            return TransactionCommand(session, sequence, floor, view, _read_set(reads), _pairs(writes), result, time_ms)
        case [
            2,
            int() as view,
            list() as reads,
            list() as writes,
            list() as requests,
            int() as time_ms,
        ] if view >= 0 and _are_writes(writes) and 0 <= time_ms <= _TIME_MAX:
            return BatchCommand(view, _read_set(reads), _pairs(writes), _requests(requests), time_ms)
        case [
            3,
            bytes() as session,
            int() as sequence,
            int() as floor,
            int() as kept,
            bytes() as result,
            int() as time_ms,
        ] if (
            len(session) == _SESSION_BYTES
            and sequence > 0
            and floor >= 0
            and 0 < kept <= MAX_RETENTION_ENTRIES
            and 0 <= time_ms <= _TIME_MAX
        ):
            return RetainCommand(session, sequence, floor, kept, result, time_ms)
    raise ProtocolViolationError("a command has no known tag and form")


def _unpacked(payload: bytes) -> object:
    try:
        return msgpack.unpackb(payload)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ProtocolViolationError(f"a command is not msgpack: {error}") from error


def _requests(items: list[object]) -> tuple[Request, ...]:
    requests: list[Request] = []
    last = b""
    for item in items:
        match item:
            case [bytes() as session, int() as sequence, int() as floor, bytes() as result] if (
                len(session) == _SESSION_BYTES and session > last and sequence > 0 and floor >= 0
            ):
                requests.append(Request(session, sequence, floor, result))
                last = session
            case _:
                raise ProtocolViolationError("a batch holds what is no request, or not in order")
    if not requests:
        raise ProtocolViolationError("a batch without a request")
    return tuple(requests)


def _read_set(parts: list[object]) -> ReadSet:
    match parts:
        case [list() as keys, list() as ranges, list() as present] if (
            _are_bytes(keys) and _are_ranges(ranges) and _are_bytes(present)
        ):
            return ReadSet(dict.fromkeys(keys), list(_pairs(ranges)), dict.fromkeys(present))
    raise ProtocolViolationError("a read set is not of three lists")


def _pairs(flat: list[bytes]) -> tuple[tuple[bytes, bytes | None], ...]:
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def _are_bytes(items: Sequence[object]) -> TypeGuard[list[bytes]]:
    return _BYTES_ONLY.issuperset(map(type, items))


def _are_ranges(flat: list[object]) -> TypeGuard[list[bytes]]:
    lows, highs = flat[::2], flat[1::2]
    return len(lows) == len(highs) and _are_bytes(lows) and _BYTES_OR_NIL.issuperset(map(type, highs))


def _are_writes(flat: list[object]) -> TypeGuard[list[bytes]]:
    """Keys in strictly ascending order, none of which is the machine's own, each with a value or nil."""
    keys, values = flat[::2], flat[1::2]
    if not (len(keys) == len(values) and _are_bytes(keys) and _BYTES_OR_NIL.issuperset(map(type, values))):
        return False
    in_bounds = not keys or (keys[0] >= keyspace.CATALOG and keys[-1] < keyspace.MACHINE)
    return in_bounds and all(map(lt, keys, keys[1:]))
