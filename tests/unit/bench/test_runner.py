"""The runner and the workloads over nodes of the imagination, on a clock that jumps."""

from __future__ import annotations

from random import Random

import pytest
import trio
from trio.testing import MockClock

from mynode.base.errors import MyNodeError
from mynode.base.sql_errors import DivisionByZeroError, SerializationFailureError
from mynode.bench import workload as workloads
from mynode.bench.runner import Runner, Tally
from mynode.bench.workload import VerificationError, Workload, WriteWorkload
from mynode.client.client import Client, open_client
from mynode.client.options import ClientOptions
from mynode.client.session import Session
from mynode.testing.fake_nodes import FakeCluster


class Scripted(Workload):
    """Each item takes 0.1 s; an item's errors are raised first, one a try."""

    name = "scripted"
    summary = "as the test says"
    default_rows = None

    def __init__(self, errors: dict[int, list[MyNodeError]]) -> None:
        super().__init__(Random(1), 0)
        self._errors = errors
        self.items = 0
        self.tries: list[tuple[int, bool]] = []

    async def prepare(self, client: Client) -> None:
        raise NotImplementedError

    async def verify(self, client: Client) -> str:
        raise NotImplementedError

    def next_item(self) -> int:
        self.items += 1
        return self.items

    async def run(self, session: Session, item: int, *, is_retry: bool) -> int:
        self.tries.append((item, is_retry))
        await trio.sleep(0.1)
        if errors := self._errors.get(item):
            raise errors.pop(0)
        return 1


async def measure(
    workload: Workload, *, workers: int = 1, seconds: float | None = None, count: int | None = None
) -> tuple[Tally, list[Tally]]:
    each: list[Tally] = []
    async with open_client(FakeCluster(1).nodes, ClientOptions(), random=Random(1)) as client:
        runner = Runner(
            client,
            workload,
            workers=workers,
            seconds=seconds,
            count=count,
            on_second=lambda _, tally: each.append(tally),
        )
        return await runner.run(), each


async def test_runs_until_so_many_succeeded(autojump_clock: MockClock) -> None:
    total, _ = await measure(Scripted({}), workers=3, count=20)
    assert (total.latencies.count, total.retries, total.errors) == (20, 0, 0)


async def test_runs_for_so_long_and_finishes_what_is_under_way(autojump_clock: MockClock) -> None:
    workload = Scripted({})
    total, each = await measure(workload, workers=4, seconds=2.05)
    assert total.latencies.count == workload.items == 4 * 21
    assert len(each) == 2
    assert 0 < sum(tally.latencies.count for tally in each) < total.latencies.count


async def test_an_item_counts_once_over_all_its_tries(autojump_clock: MockClock) -> None:
    workload = Scripted({2: [SerializationFailureError("busy"), SerializationFailureError("busy")]})
    total, _ = await measure(workload, count=3)
    assert workload.tries == [(1, False), (2, False), (2, True), (2, True), (3, False)]
    assert (total.latencies.count, total.retries, total.errors) == (3, 2, 0)


async def test_an_item_given_up_is_an_error_and_another_takes_its_place(autojump_clock: MockClock) -> None:
    workload = Scripted({1: [DivisionByZeroError("division by zero")]})
    total, _ = await measure(workload, count=3)
    assert (total.latencies.count, total.retries, total.errors) == (3, 0, 1)
    assert workload.items == 4


async def test_a_hopeless_run_ends(autojump_clock: MockClock) -> None:
    workload = Scripted({item: [DivisionByZeroError("division by zero")] for item in range(1, 5_000)})
    total, _ = await measure(workload, workers=8, count=1)
    assert total.latencies.count == 0
    assert 1_000 <= total.errors < 1_010


# --- verification ----------------------------------------------------------------------------------------------------


async def verified(monkeypatch: pytest.MonkeyPatch, rows: list[tuple[int, str]]) -> str:
    """What the write workload says of `rows` after items 1 and 2 were acknowledged and 3 was not."""

    async def all_rows(client: Client, table: str) -> list[tuple[int, str]]:
        return rows

    async def make_table(client: Client, table: str) -> None:
        pass

    monkeypatch.setattr(workloads, "all_rows", all_rows)
    monkeypatch.setattr(workloads, "make_table", make_table)
    async with open_client(FakeCluster(1).nodes, ClientOptions(), random=Random(1)) as client:
        workload = WriteWorkload(Random(1), 0)
        await workload.prepare(client)
        items = [workload.next_item() for _ in range(3)]
        async with client.session() as session:
            for item in items[:2]:
                await workload.run(session, item, is_retry=False)
        return await workload.verify(client)


def value(item: int) -> str:
    """The value of `item` in the write workload with `Random(1)`."""
    random = Random(1)
    return [workloads.random_text(random) for _ in range(item + 1)][item]


async def test_rows_that_were_acknowledged_or_may_have_been_written_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await verified(monkeypatch, [(1, value(1)), (2, value(2))])).startswith("2 rows")
    assert (await verified(monkeypatch, [(1, value(1)), (2, value(2)), (3, value(3))])).startswith("3 rows")


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([1], "lost 1 acknowledged rows, id 2 first"),
        ([1, 2, 2], "holds 1 ids twice"),
        ([1, 2, 4], "a row that nobody wrote, id 4"),
    ],
)
async def test_lost_doubled_and_invented_rows_are_found(
    monkeypatch: pytest.MonkeyPatch, items: list[int], message: str
) -> None:
    with pytest.raises(VerificationError, match=message):
        await verified(monkeypatch, [(item, value(item)) for item in items])


async def test_a_wrong_value_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VerificationError, match="a row that nobody wrote, id 2"):
        await verified(monkeypatch, [(1, value(1)), (2, value(1))])
