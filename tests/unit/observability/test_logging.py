from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator

import pytest
import structlog

from mynode.observability.logging import configure_logging, log_warnings_only


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for end in ends:
        os.close(end)


def test_logfmt_is_one_line_an_event(pipe: tuple[int, int]) -> None:
    configure_logging("info", "logfmt", descriptor=pipe[1])
    structlog.get_logger().info("became leader", term=7)
    structlog.get_logger().debug("not this")
    (line,) = os.read(pipe[0], 10_000).decode().splitlines()
    assert line.startswith("timestamp=")
    assert line.endswith('level=info event="became leader" term=7')


def test_json_carries_exceptions_in_the_same_line(pipe: tuple[int, int]) -> None:
    configure_logging("warning", "json", descriptor=pipe[1])
    try:
        int("oh")
    except ValueError:
        structlog.get_logger().exception("it broke")
    (line,) = os.read(pipe[0], 10_000).decode().splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"]) == ("it broke", "error")
    assert event["exception"].endswith("literal for int() with base 10: 'oh'")


def test_libraries_log_the_same_way(pipe: tuple[int, int]) -> None:
    configure_logging("info", "auto", descriptor=pipe[1])
    logging.getLogger("h2").warning("odd frame %d", 7)
    logging.getLogger("h2").info("not this")
    assert os.read(pipe[0], 10_000).decode().endswith('level=warning event="odd frame 7" library=h2\n')


def test_a_reader_that_does_not_keep_up_loses_lines_and_learns_how_many(pipe: tuple[int, int]) -> None:
    configure_logging("info", "logfmt", descriptor=pipe[1])
    for _ in range(2_000):
        structlog.get_logger().info("line", text="x" * 1_000)
    held = len(drained(pipe[0]).splitlines())
    assert 0 < held < 2_000
    structlog.get_logger().info("afterwards")
    lines = drained(pipe[0]).splitlines()
    assert lines[0] == f"{2_000 - held} log lines dropped: the reader did not keep up"
    assert lines[1].endswith("event=afterwards")


def drained(descriptor: int) -> str:
    parts = []
    while True:
        try:
            parts.append(os.read(descriptor, 1_000_000))
        except BlockingIOError:
            return b"".join(parts).decode()


def test_a_reader_that_went_away_is_no_error() -> None:
    source, sink = os.pipe()
    configure_logging("info", "console", descriptor=sink)
    os.close(source)
    structlog.get_logger().info("nobody hears")
    os.close(sink)
    structlog.get_logger().info("nor this")


def test_a_program_s_own_configuration_stays(pipe: tuple[int, int]) -> None:
    configure_logging("info", "logfmt", descriptor=pipe[1])
    log_warnings_only()
    structlog.get_logger().info("still heard")
    assert "still heard" in os.read(pipe[0], 10_000).decode()
