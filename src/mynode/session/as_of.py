"""`AS OF SYSTEM TIME`: from a version, a time or an interval to the view of the data as it was."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from mynode.base.ids import Version
from mynode.base.sql_errors import InvalidParameterValueError, SnapshotTooOldError
from mynode.mvcc.history import HistoricView, historic_view, horizon, version_at
from mynode.mvcc.retention import watermark
from mynode.mvcc.view import ReadView
from mynode.session.effects import Pause
from mynode.session.steps import Steps
from mynode.sql import ast
from mynode.values.datetimes import parse_timestamptz

_INTERVAL: Final = re.compile(r"\s*-\s*([0-9]{1,12})\s*(ms|s|min|m|h|d)\s*")
_UNITS_MS: Final = {"ms": 1, "s": 1_000, "min": 60_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def view_as_of(view: ReadView, when: ast.IntegerLiteral | ast.StringLiteral, now: datetime) -> Steps[HistoricView]:
    """The state at `when`, seen from `view`, which is the newest there is.

    Raises:
        InvalidParameterValueError: in the future, or no time.
        SnapshotTooOldError: so long ago that it is no longer kept.
    """
    version = when.value if isinstance(when, ast.IntegerLiteral) else _version_at(view, when, now)
    if version > view.version:
        raise InvalidParameterValueError(
            f"version {version} is in the future: the newest is {view.version}", position=when.position
        )
    oldest = max(watermark(view), horizon(view.tree))
    if version < oldest:
        raise _too_old(f"version {version}", f"The oldest is version {oldest}.", when.position)
    for found in historic_view(view, version):
        if found is not None:
            return found
        yield Pause()
    raise AssertionError("a version that is kept can be seen")


def _version_at(view: ReadView, when: ast.StringLiteral, now: datetime) -> Version:
    now_ms = int(1000 * now.timestamp())
    interval = _INTERVAL.fullmatch(when.value)
    if interval is not None:
        time_ms = max(0, now_ms - int(interval[1]) * _UNITS_MS[interval[2]])
    else:
        time_ms = int(1000 * parse_timestamptz(when.value).timestamp())
    if time_ms > now_ms:
        raise InvalidParameterValueError(f"{when.value} is in the future", position=when.position)
    version = version_at(view, time_ms)
    if version is None:
        raise _too_old(when.value, "Nothing is kept of that time.", when.position)
    return version


def _too_old(when: str, hint: str, position: int) -> SnapshotTooOldError:
    return SnapshotTooOldError(f"the data as of {when} is no longer kept", hint=hint, position=position)
