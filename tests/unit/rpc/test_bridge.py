"""The ways between Trio and asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from mynode.rpc.bridge import Crossing, await_in_asyncio, in_asyncio, in_trio, open_bridge


@pytest.fixture
async def bridge() -> AsyncIterator[None]:
    async with open_bridge():
        yield


async def test_a_coroutine_that_need_not_wait_runs_in_place(bridge: None) -> None:
    async def answer() -> int:
        event = asyncio.Event()
        event.set()
        await event.wait()
        return 42 if asyncio.current_task() is None else 0

    assert await in_asyncio(answer()) == 42


async def test_a_coroutine_that_waits_becomes_a_task_where_it_waits(bridge: None) -> None:
    async def answer() -> list[bool]:
        tasks = [asyncio.current_task() is not None]
        await asyncio.sleep(0)
        tasks.append(asyncio.current_task() is not None)
        await asyncio.sleep(0)
        return tasks

    assert await in_asyncio(answer()) == [False, True]
    assert await await_in_asyncio(answer()) == [True, True]


async def test_errors_cross_before_and_after_a_wait(bridge: None) -> None:
    async def fail(waits: bool) -> None:
        if waits:
            await asyncio.sleep(0)
        raise KeyError("lost")

    for waits in (False, True):
        with pytest.raises(KeyError):
            await in_asyncio(fail(waits))


async def test_cancelling_in_trio_cancels_in_asyncio(bridge: None) -> None:
    seen: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async with trio.open_nursery() as nursery:
        nursery.start_soon(in_asyncio, wait())
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert seen == ["cancelled"]


async def test_a_trio_task_answers_asyncio_and_is_cancelled_with_its_future(bridge: None) -> None:
    started, ended = trio.Event(), trio.Event()

    async def double(number: int) -> int:
        await trio.lowlevel.checkpoint()
        return 2 * number

    async def wait() -> None:
        started.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async def ask() -> int:
        return await in_trio(double, 21)

    async def give_up() -> None:
        future = in_trio(wait)
        await asyncio.sleep(0)
        future.cancel()
        await asyncio.wait({future})

    assert await in_asyncio(ask()) == 42
    await in_asyncio(give_up())
    assert started.is_set() == ended.is_set()


async def test_an_exception_that_asyncio_only_reports_ends_nothing(bridge: None) -> None:
    reached = trio.Event()

    def fail() -> None:
        reached.set()
        raise RuntimeError("in a callback")

    asyncio.get_running_loop().call_soon(fail)
    await reached.wait()
    await wait_all_tasks_blocked()


async def test_a_bridge_inside_a_bridge_is_the_same(bridge: None) -> None:
    loop = asyncio.get_running_loop()
    async with open_bridge():
        assert asyncio.get_running_loop() is loop


# --- Crossing --------------------------------------------------------------------------------------------------------


async def test_a_crossing_is_taken_whole_and_says_when() -> None:
    taken: list[str] = []
    crossing: Crossing[int] = Crossing(lambda: taken.append("taken"))
    for number in range(3):
        crossing.put(number)
    assert await crossing.take() == [0, 1, 2]
    assert taken == ["taken"]
    crossing.close()
    assert await crossing.take() == []
    assert taken == ["taken"]


async def test_a_crossing_wakes_its_taker() -> None:
    crossing: Crossing[str] = Crossing(lambda: None)
    taken: list[list[str]] = []

    async def take() -> None:
        taken.append(await crossing.take())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        crossing.put("late")
    assert taken == [["late"]]


async def test_what_waits_in_a_crossing_comes_before_its_error() -> None:
    crossing: Crossing[int] = Crossing(lambda: None)
    crossing.put(1)
    crossing.close(KeyError("over"))
    crossing.put(2)
    assert await crossing.take() == [1]
    for _ in range(2):
        with pytest.raises(KeyError):
            await crossing.take()


async def test_a_cancelled_taker_leaves_the_crossing_whole() -> None:
    crossing: Crossing[int] = Crossing(lambda: None)
    with trio.CancelScope() as scope:
        scope.cancel()
        await crossing.take()
    crossing.put(1)
    assert await crossing.take() == [1]
