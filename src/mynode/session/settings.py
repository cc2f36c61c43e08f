"""The settings of a session: what SET, RESET and SHOW speak of. Each kind knows which texts it takes.

Names and values are PostgreSQL's, as far as they mean something here; what could only mean something else is refused.
Values are kept as the text that SHOW gives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Final

from mynode import __version__
from mynode.base.limits import MAX_IDENTIFIER_BYTES, MAX_SESSION_SETTINGS, MAX_SETTING_BYTES, RETENTION_ENTRIES
from mynode.base.sql_errors import (
    CannotChangeSettingError,
    FeatureNotSupportedError,
    InvalidParameterValueError,
    ProgramLimitExceededError,
    UndefinedSettingError,
)
from mynode.session.api import ColumnInfo, Row
from mynode.sql import ast

HISTORY_RETENTION: Final = "history_retention"
"""The setting that is the whole cluster's; see `session.system_settings`."""
_MAX_DURATION_MS: Final = 24 * 3_600_000
_UNITS_MS: Final = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION: Final = re.compile(r"\s*([0-9]{1,12})\s*([a-z]*)\s*")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        read: from the texts of a SET to the text that is kept; raises `InvalidParameterValueError` or
            `FeatureNotSupportedError`. None: it cannot be set.
    """

    default: str
    description: str
    read: Callable[[str, str], str] | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What a session has set; immutable. A LOCAL value hides the session's, up to the end of the transaction."""

    session: Mapping[str, str] = field(default_factory=dict)
    local: Mapping[str, str] = field(default_factory=dict)

    def set(self, name: str, values: tuple[str, ...] | None, *, local: bool, position: int) -> Settings:
        """With another value; None is the default.

        Raises:
            UndefinedSettingError, CannotChangeSettingError: by its name.
            InvalidParameterValueError, FeatureNotSupportedError: by its value.
            ProgramLimitExceededError: too many, or too long.
        """
        setting = find_setting(name, position)
        if setting.read is None:
            raise CannotChangeSettingError(f'parameter "{name}" cannot be changed', position=position)
        text = setting.default if values is None else setting.read(name, ", ".join(values))
        if len(text.encode()) > MAX_SETTING_BYTES:
            raise ProgramLimitExceededError(f'the value of "{name}" has more than {MAX_SETTING_BYTES:,} bytes')
        if local:
            return self._bounded(replace(self, local={**self.local, name: text}))
        others = {key: value for key, value in self.session.items() if key != name}
        hidden = {key: value for key, value in self.local.items() if key != name}
        return self._bounded(Settings(others if text == setting.default else {**others, name: text}, hidden))

    def get(self, name: str, position: int | None = None) -> str:
        """The value now. Raises `UndefinedSettingError`."""
        found = self.local.get(name, self.session.get(name))
        return find_setting(name, position).default if found is None else found

    def without_local(self) -> Settings:
        """At the end of a transaction."""
        return Settings(self.session) if self.local else self

    def milliseconds(self, name: str) -> int:
        """A duration; 0 is none."""
        found = self.local.get(name, self.session.get(name))
        return 0 if found is None else _milliseconds(name, found)

    def _bounded(self, settings: Settings) -> Settings:
        if len(settings.session) + len(settings.local) > MAX_SESSION_SETTINGS:
            raise ProgramLimitExceededError(f"a session can have at most {MAX_SESSION_SETTINGS} settings")
        return settings


def find_setting(name: str, position: int | None) -> Setting:
    """The setting; any name with a point is one that an application may use. Raises `UndefinedSettingError`."""
    found = SETTINGS.get(name)
    if found is not None:
        return found
    if "." in name and len(name.encode()) <= 2 * MAX_IDENTIFIER_BYTES:
        return _OF_APPLICATIONS
    near = get_close_matches(name, SETTINGS, 1)
    raise UndefinedSettingError(
        f'unrecognized configuration parameter "{name}"',
        position=position,
        hint=f'Perhaps you meant "{near[0]}".' if near else "SHOW ALL lists them.",
    )


def shows_system(show: ast.Show) -> bool:
    """Whether SHOW speaks of what is the whole cluster's."""
    return show.name in (None, HISTORY_RETENTION)


def shown(
    show: ast.Show, settings: Settings, system: Mapping[str, str], *, is_read_only: bool
) -> tuple[tuple[ColumnInfo, ...], list[Row]]:
    """What SHOW answers. Raises `UndefinedSettingError`.

    Args:
        system: the whole cluster's settings, if the statement `shows_system`.
        is_read_only: the transaction is.
    """

    def value(name: str) -> str:
        if name in system:
            return system[name]
        if name == "transaction_read_only":
            return "on" if is_read_only else "off"
        return settings.get(name, show.position)

    if show.name is not None:
        return (ColumnInfo(show.name, "TEXT"),), [(value(show.name),)]
    own = {name for name in (*settings.session, *settings.local) if name not in SETTINGS}
    names = sorted({*SETTINGS, *own})
    columns = tuple(ColumnInfo(name, "TEXT") for name in ("name", "setting", "description"))
    return columns, [(name, value(name), find_setting(name, None).description) for name in names]


# --- kinds of values -------------------------------------------------------------------------------------------------


def _any_text(_: str, text: str) -> str:
    return text


def _duration(name: str, text: str) -> str:
    """`250`, `250ms`, `5s`, `1min`, …; shown in the largest unit that it is a whole number of."""
    milliseconds = _milliseconds(name, text)
    for unit in ("d", "h", "min", "s", "ms"):
        if milliseconds and milliseconds % _UNITS_MS[unit] == 0:
            return f"{milliseconds // _UNITS_MS[unit]}{unit}"
    return "0"


def _milliseconds(name: str, text: str) -> int:
    match = _DURATION.fullmatch(text)
    unit = _UNITS_MS.get(match[2] or "ms") if match else None
    if match is None or unit is None:
        raise InvalidParameterValueError(
            f'invalid value for parameter "{name}": "{text}"',
            hint='Valid units for this parameter are "ms", "s", "min", "h", and "d".',
        )
    milliseconds = int(match[1]) * unit
    if milliseconds > _MAX_DURATION_MS:
        raise InvalidParameterValueError(f'{text} is outside the valid range for parameter "{name}" (0 to 24h)')
    return milliseconds


def _one_of(*known: str, shown: str | None = None) -> Callable[[str, str], str]:
    """Reads one of these words, in any case; `shown` is what it means here, whichever of them it is."""

    def read(name: str, text: str) -> str:
        word = " ".join(text.lower().split())
        if word not in known:
            raise InvalidParameterValueError(
                f'invalid value for parameter "{name}": "{text}"', hint=f"Available values: {', '.join(known)}."
            )
        return word if shown is None else shown

    return read


def _only(shown: str, *known: str) -> Callable[[str, str], str]:
    """Reads what means `shown`; anything else may be right elsewhere."""
    accepted = {"".join(text.lower().split()) for text in (shown, *known)}

    def read(name: str, text: str) -> str:
        if "".join(text.lower().split()) not in accepted:
            raise FeatureNotSupportedError(f'parameter "{name}" can only be "{shown}" here, not "{text}"')
        return shown

    return read


_ISOLATION_LEVELS: Final = ("serializable", "repeatable read", "read committed", "read uncommitted")
_OF_APPLICATIONS: Final = Setting("", "An application's own.", _any_text)

SETTINGS: Final[Mapping[str, Setting]] = {
    "application_name": Setting("", "The application's name.", _any_text),
    "bytea_output": Setting("hex", "How BYTEA is shown as text.", _only("hex")),
    "client_encoding": Setting("UTF8", "The client's character set.", _only("UTF8", "utf-8", "unicode")),
    "client_min_messages": Setting(
        "notice",
        "The least notice that is sent; there are none.",
        _one_of("debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"),
    ),
    "datestyle": Setting("ISO, MDY", "How dates are shown.", _only("ISO, MDY", "ISO", "ISO, YMD", "ISO, DMY")),
    "default_transaction_isolation": Setting(
        "serializable",
        "The isolation of new transactions; any level asked for is the strongest.",
        _one_of(*_ISOLATION_LEVELS, shown="serializable"),
    ),
    "extra_float_digits": Setting(
        "1", "Floats are shown exactly, with the fewest digits.", _one_of("0", "1", "2", "3", shown="1")
    ),
    HISTORY_RETENTION: Setting(
        str(RETENTION_ENTRIES), "Entries of the log for which the past is kept; ALTER SYSTEM sets it for all nodes."
    ),
    "idle_in_transaction_session_timeout": Setting(
        "0", "A transaction without a statement for so long is rolled back; 0: as the node is configured.", _duration
    ),
    "intervalstyle": Setting("postgres", "How intervals are shown.", _only("postgres")),
    "lock_timeout": Setting("0", "Of no effect: nothing waits for a lock.", _duration),
    "max_identifier_length": Setting(str(MAX_IDENTIFIER_BYTES), "Bytes of the longest name."),
    "search_path": Setting(
        "public",
        "Schemas in which names are looked up; there is one.",
        _only("public", '"$user", public', "$user, public"),
    ),
    "server_encoding": Setting("UTF8", "The database's character set."),
    "server_version": Setting(__version__, "MyNode's version."),
    "standard_conforming_strings": Setting("on", "A backslash in '...' is one.", _only("on", "true", "1", "yes")),
    "statement_timeout": Setting(
        "0", "A statement that takes longer is cancelled; 0: only the client's own limit counts.", _duration
    ),
    "timezone": Setting("UTC", "The time zone of dates and times.", _only("UTC", "GMT", "Etc/UTC", "Z", "0")),
    "transaction_isolation": Setting(
        "serializable",
        "The isolation of this transaction; any level asked for is the strongest.",
        _one_of(*_ISOLATION_LEVELS, shown="serializable"),
    ),
    "transaction_read_only": Setting("off", "Whether this transaction is READ ONLY; BEGIN says so."),
}
