"""Which statements begin and end transactions, as far as a client must know that from their text.

The node says after each statement whether a transaction is open. These are for what it could not say any more. A text
that hides its first word behind a comment is not recognized as an end; then the client is only more careful.
"""

from __future__ import annotations

import re
from typing import Final, Literal

_END: Final = re.compile(r"\s*(commit|end|rollback|abort)(?:\s+(?:work|transaction))?\s*;*\s*\Z", re.IGNORECASE)
_CONTROL: Final = re.compile(r"\s*(?:begin|start|commit|end|rollback|abort|savepoint|release)\b", re.IGNORECASE)
_BEGIN: Final = re.compile(r"\s*(?:begin\b|start\b|--|/\*)", re.IGNORECASE)
_SET: Final = re.compile(r"\s*(?:set\b|reset\b|prepare\b|deallocate\b)", re.IGNORECASE)


def end_of(sql: str) -> Literal["COMMIT", "ROLLBACK"] | None:
    """How the statement ends a transaction, if it certainly does."""
    match = _END.match(sql)
    if match is None:
        return None
    return "COMMIT" if match[1].lower() in ("commit", "end") else "ROLLBACK"


def is_control(sql: str) -> bool:
    """Whether the statement is about transactions, and no part of one."""
    return _CONTROL.match(sql) is not None


def may_begin(sql: str) -> bool:
    """Whether the statement could begin a transaction."""
    return _BEGIN.match(sql) is not None


def may_leave_something(sql: str) -> bool:
    """Whether its session could be another one after the statement: in a transaction, or with something set."""
    return may_begin(sql) or _SET.match(sql) is not None
