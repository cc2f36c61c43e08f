"""structlog's set-up: one line an event on standard error, which can never block or stop a node.

A line is for a person where standard error is a terminal (`console`), else `key=value` pairs (`logfmt`) or `json`,
as the configuration says. A reader that does not keep up loses lines, and a line later says how many; a reader that
went away loses all of them. Code logs by `structlog.get_logger(actor="raft").info("became leader", term=7)`.
"""

from __future__ import annotations

import logging
import os
import select
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from mynode.config import LogFormat, LogLevel  # its library takes long to import, and a client needs no more of it


class _LineLogger:
    """What structlog hands a finished line to: writes it to a descriptor or drops it, but never waits."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._dropped = 0

    def msg(self, message: str) -> None:
        if self._dropped and self._write(f"{self._dropped} log lines dropped: the reader did not keep up\n"):
            self._dropped = 0
        if not self._write(message + "\n"):
            self._dropped += 1

    debug = info = warning = error = critical = exception = msg

    def _write(self, text: str) -> bool:
        rest = text.encode("utf-8", "backslashreplace")
        try:
            while rest:
                if not any(flags & select.POLLOUT for _, flags in self._poll.poll(0)):
                    return False
                # A pipe that polls as writable takes PIPE_BUF bytes without blocking.
                rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
        except OSError:
            return False
        return True


class _LibraryHandler(logging.Handler):
    """Sends what libraries report through `logging` (grpclib does) the same way."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger(library=record.name)
        logger.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def configure_logging(level: LogLevel, log_format: LogFormat, *, descriptor: int = 2) -> None:
    """Make structlog, and `logging` with it, write events of `level` and above to the open file `descriptor`."""
    _configure_structlog(level, log_format, descriptor)
    logging.basicConfig(level=logging.WARNING, handlers=[_LibraryHandler()], force=True)


def _configure_structlog(level: LogLevel, log_format: LogFormat, descriptor: int) -> None:
    is_terminal = os.isatty(descriptor)
    if log_format == "auto":
        log_format = "console" if is_terminal else "logfmt"
    console = log_format == "console"
    logger = _LineLogger(descriptor)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f" if console else "iso", utc=not console),
            *_renderers(log_format, colors=is_terminal),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: logger,
        cache_logger_on_first_use=True,
    )


def log_warnings_only() -> None:
    """For a program that has a node inside, unless it configured structlog itself: say little, on standard error.

    The program's `logging` is left as it is.
    """
    if not structlog.is_configured():
        _configure_structlog("warning", "auto", descriptor=2)


def _renderers(log_format: LogFormat, *, colors: bool) -> list[structlog.typing.Processor]:
    match log_format:
        case "json":
            return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        case "logfmt":
            return [
                structlog.processors.format_exc_info,
                structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
            ]
        case _:
            return [
                structlog.dev.ConsoleRenderer(
                    colors=colors, pad_event_to=30, exception_formatter=structlog.dev.plain_traceback
                )
            ]
