"""Closed-loop workers: each does one item after the other, all of them Trio tasks of this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from mynode.base.errors import MyNodeError, OutcomeUnknownError
from mynode.base.sql_errors import SerializationFailureError
from mynode.bench.statistics import Histogram
from mynode.bench.workload import VerificationError, Workload
from mynode.client.client import Client
from mynode.client.session import Session

_RETRY_DELAY_S = 0.05
_WORTH_ANOTHER_TRY = (OutcomeUnknownError, SerializationFailureError)
_MAX_ERRORS = 1_000
"""So many items given up end the run: something is wrong with the cluster, not with an item."""


@dataclass(slots=True)
class Tally:
    """What was measured in a stretch of time.

    Attributes:
        elapsed_s: the length of the stretch.
        latencies: of the items that succeeded, each over all its tries.
        retries: tries beyond an item's first.
        errors: items given up.
    """

    elapsed_s: float = 0.0
    latencies: Histogram = field(default_factory=Histogram)
    retries: int = 0
    errors: int = 0

    @property
    def rate_per_s(self) -> float:
        return self.latencies.count / self.elapsed_s if self.elapsed_s else 0.0

    def merge(self, other: Tally) -> None:
        self.elapsed_s += other.elapsed_s
        self.latencies.merge(other.latencies)
        self.retries += other.retries
        self.errors += other.errors


class Runner:
    """One run of a workload.

    Args:
        seconds: how long items are begun, or None.
        count: how many items shall succeed, or None.
        on_second: called with what was measured in each second.

    Attributes:
        last_error: of the item given up last, or None.

    Invariant: an item is counted once: in `latencies` when it succeeded, in `errors` when it was given up.
    """

    def __init__(
        self,
        client: Client,
        workload: Workload,
        *,
        workers: int,
        seconds: float | None,
        count: int | None,
        on_second: Callable[[int, Tally], None],
    ) -> None:
        self._client = client
        self._workload = workload
        self._workers = workers
        self._seconds = seconds
        self._remaining = count if count is not None else float("inf")
        self._on_second = on_second
        self._is_over = False
        self._window = Tally()
        self._total = Tally()
        self.last_error: MyNodeError | None = None

    async def run(self) -> Tally:
        """Measure; items under way at the end are finished and counted."""
        started = self._window_started = time.perf_counter()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._report_each_second)
            async with trio.open_nursery() as workers:
                for _ in range(self._workers):
                    workers.start_soon(self._work)
                if self._seconds is not None:
                    nursery.start_soon(self._end_after, self._seconds)
            nursery.cancel_scope.cancel()
        self._close_window()
        self._total.elapsed_s = time.perf_counter() - started
        return self._total

    async def _end_after(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self._is_over = True

    async def _work(self) -> None:
        async with self._client.session() as session:
            while self._remaining > 0 and not self._is_over:
                self._remaining -= 1
                started = time.perf_counter()
                if await self._succeeds(session, self._workload.next_item()):
                    self._window.latencies.add(time.perf_counter() - started)
                else:
                    self._remaining += 1

    async def _succeeds(self, session: Session, item: int) -> bool:
        """Do the item, again and again while that can help and the run is not over."""
        is_retry = False
        while True:
            try:
                attempts = await self._workload.run(session, item, is_retry=is_retry)
            except VerificationError:
                raise
            except MyNodeError as error:
                if self._is_over or not (error.retryable or isinstance(error, _WORTH_ANOTHER_TRY)):
                    self._give_up(error)
                    return False
                is_retry = True
                self._window.retries += 1
                await trio.sleep(_RETRY_DELAY_S)
            else:
                self._window.retries += attempts - 1
                return True

    def _give_up(self, error: MyNodeError) -> None:
        self.last_error = error
        self._window.errors += 1
        if self._total.errors + self._window.errors >= _MAX_ERRORS:
            self._is_over = True

    async def _report_each_second(self) -> None:
        second = 0
        next_report = trio.current_time()
        while True:
            second += 1
            next_report += 1
            await trio.sleep_until(next_report)
            self._on_second(second, self._close_window())

    def _close_window(self) -> Tally:
        now = time.perf_counter()
        window, self._window = self._window, Tally()
        window.elapsed_s = now - self._window_started
        self._window_started = now
        self._total.merge(window)
        return window
