"""`mynode bench` from its options to its exit code."""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from random import Random
from typing import TextIO

import trio

from mynode.base.errors import ConfigError, ConnectionFailedError
from mynode.base.exit_codes import EXIT_DONE, EXIT_FAILED
from mynode.bench.runner import Runner, Tally
from mynode.bench.shared_rows import IncrementWorkload, TransferWorkload
from mynode.bench.workload import ReadWorkload, Workload, WriteWorkload
from mynode.trio import connect

DEFAULT_SECONDS = 10.0
MAX_WORKERS = 4_096
MAX_ROWS = 1_000_000
WORKLOADS: dict[str, type[Workload]] = {
    workload.name: workload for workload in (ReadWorkload, WriteWorkload, IncrementWorkload, TransferWorkload)
}


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What the command line says; `seconds` and `count` exclude each other, `rows` None is as the workload has it."""

    workload: str
    addresses: str
    workers: int
    rows: int | None
    seconds: float | None
    count: int | None
    as_json: bool


def run_bench(options: BenchOptions) -> int:
    """Run the workload and show the figures; the exit code. Raises `VerificationError` when data is lost or wrong."""
    if options.workload not in WORKLOADS:
        raise ConfigError(f'there is no workload "{options.workload}"', hint=f"there is {', '.join(WORKLOADS)}")
    if options.seconds is not None and options.count is not None:
        raise ConfigError("--seconds and --count exclude each other")
    if not 1 <= options.workers <= MAX_WORKERS:
        raise ConfigError(f"1 to {MAX_WORKERS} workers, not {options.workers}")
    if (options.seconds is not None and options.seconds <= 0) or (options.count is not None and options.count <= 0):
        raise ConfigError("--seconds and --count are more than 0")
    if options.rows is not None and WORKLOADS[options.workload].default_rows is None:
        raise ConfigError(f'the workload "{options.workload}" begins without rows')
    if options.rows is not None and not 1 <= options.rows <= MAX_ROWS:
        raise ConfigError(f"1 to {MAX_ROWS:,} rows, not {options.rows}")
    report = JsonReport(options, sys.stdout) if options.as_json else TableReport(options, sys.stdout)
    return trio.run(_run, options, report)


async def _run(options: BenchOptions, report: Report) -> int:
    async with connect(options.addresses, spread="round_robin", max_sessions=options.workers + 1) as client:
        if all(status.status is None for status in await client.status()):
            raise ConnectionFailedError(f"no node answers at {options.addresses}")
        kind = WORKLOADS[options.workload]
        workload = kind(Random(), options.rows or kind.default_rows or 0)
        await workload.prepare(client)
        seconds = DEFAULT_SECONDS if options.seconds is None and options.count is None else options.seconds
        runner = Runner(
            client,
            workload,
            workers=options.workers,
            seconds=seconds,
            count=options.count,
            on_second=report.second,
        )
        total = await runner.run()
        findings = await workload.verify(client)
        if runner.last_error is not None:
            report.note(f"the last error: {runner.last_error.message} (SQLSTATE {runner.last_error.sqlstate})")
        report.note(f"verified: {findings}")
        report.total(total)
        return EXIT_FAILED if total.errors else EXIT_DONE


class Report(ABC):
    """Shows the figures of each second and of the whole run."""

    def __init__(self, options: BenchOptions, stream: TextIO) -> None:
        self._options = options
        self._stream = stream

    @abstractmethod
    def second(self, second: int, tally: Tally) -> None:
        """Show the figures of second 1, 2, …"""

    @abstractmethod
    def note(self, text: str) -> None:
        """Show a sentence for a person."""

    @abstractmethod
    def total(self, tally: Tally) -> None:
        """Show the figures of the whole run; the last call."""

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class TableReport(Report):
    """A line a second and one at the end, in columns."""

    _HEADER = " second   items/s    p50 ms    p90 ms    p99 ms    max ms  retries  errors"

    def second(self, second: int, tally: Tally) -> None:
        if second == 1:
            self._write(self._HEADER)
        self._write(self._line(str(second), tally))

    def note(self, text: str) -> None:
        self._write(text)

    def total(self, tally: Tally) -> None:
        self._write(self._HEADER)
        self._write(self._line("all", tally))
        options = self._options
        self._write(
            f"{options.workload}, {options.workers} workers: {tally.latencies.count:,} items in "
            f"{tally.elapsed_s:.1f} s, {tally.rate_per_s:,.0f} a second"
        )

    def _line(self, label: str, tally: Tally) -> str:
        latencies = (*(tally.latencies.percentile_s(percent) for percent in (50, 90, 99)), tally.latencies.max_s)
        columns = "".join(f"{1000 * latency:>10.2f}" for latency in latencies)
        return f"{label:>7}{tally.rate_per_s:>10,.0f}{columns}{tally.retries:>9}{tally.errors:>8}"


class JsonReport(Report):
    """An object a line; the last one is of the whole run. Sentences go to standard error."""

    def second(self, second: int, tally: Tally) -> None:
        self._write(json.dumps({"second": second, **self._figures(tally)}))

    def note(self, text: str) -> None:
        sys.stderr.write(text + "\n")

    def total(self, tally: Tally) -> None:
        options = self._options
        self._write(json.dumps({"workload": options.workload, "workers": options.workers, **self._figures(tally)}))

    def _figures(self, tally: Tally) -> dict[str, int | float]:
        latencies = tally.latencies
        return {
            "count": latencies.count,
            "rate_per_s": round(tally.rate_per_s, 1),
            **{f"p{percent}_ms": round(1000 * latencies.percentile_s(percent), 3) for percent in (50, 90, 99)},
            "max_ms": round(1000 * latencies.max_s, 3),
            "retries": tally.retries,
            "errors": tally.errors,
        }
