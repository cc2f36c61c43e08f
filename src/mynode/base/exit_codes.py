"""The exit codes of `mynode`, and which error leads to which."""

from __future__ import annotations

from typing import Final

from mynode.base.errors import (
    AddressInUseError,
    ConfigError,
    ConnectionFailedError,
    CorruptionError,
    DataDirectoryError,
    MyNodeError,
    NoQuorumError,
    OutcomeUnknownError,
    RemovedError,
    WrongIncarnationError,
)

EXIT_DONE: Final = 0
EXIT_FAILED: Final = 1
"""A statement or a check failed, or a node stopped because of an error."""
EXIT_USAGE: Final = 2
"""Wrong usage; a node: it cannot run as configured, and starting it again would not help."""
EXIT_UNREACHABLE: Final = 3
"""No node is reachable, or none with a quorum."""
EXIT_DAMAGED: Final = 4
"""A node's files are damaged, missing or not its own; starting it again would not help. `mynode repair` explains the
choices."""
EXIT_REMOVED: Final = 5
"""The node was removed from its cluster: starting it again would not help."""
EXIT_INTERRUPTED: Final = 130
"""Ctrl-C, as shells number it."""


def exit_code(error: MyNodeError) -> int:
    """The exit code of a command that `error` ended."""
    match error:
        case ConfigError() | DataDirectoryError() | AddressInUseError():
            return EXIT_USAGE
        case CorruptionError() | WrongIncarnationError():
            return EXIT_DAMAGED
        case RemovedError():
            return EXIT_REMOVED
        case ConnectionFailedError() | NoQuorumError() | OutcomeUnknownError():
            return EXIT_UNREACHABLE
        case _:
            return EXIT_FAILED
