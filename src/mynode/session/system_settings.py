"""Settings of the whole cluster: what ALTER SYSTEM changes, and SHOW reads from a view.

There is one. It is replicated state of the machine (`mvcc.retention`), so it is the same on every node from the same
entry on; its command passes the outcome table, so that a retry changes nothing twice.
"""

from __future__ import annotations

import re
from typing import Final

from mynode.base.ids import SessionId
from mynode.base.limits import MAX_RETENTION_ENTRIES, MIN_RETENTION_ENTRIES, RETENTION_ENTRIES
from mynode.base.sql_errors import CannotChangeSettingError, InvalidParameterValueError
from mynode.machine.commands import RetainCommand
from mynode.machine.outcomes import Committed, Conflicted, Refused
from mynode.mvcc.retention import retention_of
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.session.api import Completion
from mynode.session.settings import HISTORY_RETENTION, find_setting
from mynode.session.steps import Steps, Write, WriteResult, encode_result, propose_command
from mynode.sql import ast

_DONE: Final = encode_result(WriteResult(Completion("ALTER SYSTEM", -1)))
_NUMBER: Final = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")


def alter_system(session: SessionId, write: Write, change: ast.AlterSystem) -> Steps[Committed | Refused]:
    """Propose the change. It rests on nothing that was read, so it cannot conflict.

    Raises:
        UndefinedSettingError, CannotChangeSettingError: by its name.
        InvalidParameterValueError: by its value.
    """
    entries = _retention_entries(change)
    command = RetainCommand(session, write.request.sequence, write.floor, entries, _DONE)
    outcome = yield from propose_command(command)
    if isinstance(outcome, Conflicted):
        raise AssertionError(f"{command} rests on no view")
    return outcome


def _retention_entries(change: ast.AlterSystem) -> int:
    name = change.name
    find_setting(name, change.position)
    if name != HISTORY_RETENTION:
        raise CannotChangeSettingError(
            f'parameter "{name}" cannot be changed by ALTER SYSTEM',
            position=change.position,
            hint=f"{HISTORY_RETENTION} can.",
        )
    if change.values is None:
        return RETENTION_ENTRIES
    text = ", ".join(change.values)
    if not _NUMBER.fullmatch(text):
        raise InvalidParameterValueError(f'invalid value for parameter "{name}": "{text}"', position=change.position)
    entries = int(text)
    if not MIN_RETENTION_ENTRIES <= entries <= MAX_RETENTION_ENTRIES:
        raise InvalidParameterValueError(
            f'{entries} is outside the valid range for parameter "{name}" '
            f"({MIN_RETENTION_ENTRIES} to {MAX_RETENTION_ENTRIES})",
            position=change.position,
        )
    return entries


def system_settings(source: ReadView | Transaction) -> dict[str, str]:
    """Their values as `source` sees them."""
    view = source if isinstance(source, ReadView) else source.view
    return {HISTORY_RETENTION: str(retention_of(view.tree).entries)}
