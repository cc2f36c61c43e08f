"""`Link` by itself: frames, late replies, its end, and its invariants at each step."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mynode.base.errors import ConnectionFailedError
from mynode.client.link import FRAME_BYTES, Link
from mynode.client.options import ClientOptions
from mynode.session.api import CancelRequest, CloseRequest, StatementRequest
from mynode.testing.fake_nodes import FakeCluster, FakeNode

FIRST, SECOND = b"1" * 16, b"2" * 16


def statement(session: bytes, sequence: int, sql: str = "SELECT 1") -> StatementRequest:
    return StatementRequest(session, sequence, sql, (), 1_000, False, 0)


@asynccontextmanager
async def running_link(node: FakeNode, *, is_exclusive: bool = False) -> AsyncIterator[Link]:
    stream = await node.connect()
    link = Link(stream, address=node.address, probe=node.status, options=ClientOptions(), is_exclusive=is_exclusive)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        yield link
        link.check_invariants()
        link.fail("the test is over")
        link.check_invariants()


@pytest.fixture
def node() -> FakeNode:
    return FakeCluster(1).nodes[0]


async def test_a_cancel_goes_before_the_next_statement_of_its_session(node: FakeNode) -> None:
    node.faults.append("ignore")
    async with running_link(node) as link:
        attempt = link.submit(statement(FIRST, 1), 10)
        await wait_all_tasks_blocked()
        link.release(attempt)
        link.submit(statement(FIRST, 2), 10)
        link.close_session(SECOND)
        link.check_invariants()
        await wait_all_tasks_blocked()
    assert node.frames[1] == [CancelRequest(FIRST, 1), CloseRequest(SECOND), statement(FIRST, 2)]


async def test_releasing_what_is_unsent_or_answered_tells_nobody(node: FakeNode) -> None:
    async with running_link(node) as link:
        unsent = link.submit(statement(FIRST, 1), 10)
        link.release(unsent)
        link.check_invariants()
        answered = link.submit(statement(SECOND, 1), 10)
        assert (await answered.next_reply()).rows == [(1,)]
        link.release(answered)
        link.release(answered)
        await wait_all_tasks_blocked()
    assert node.frames == [[statement(SECOND, 1)]]
    assert not unsent.is_sent
    assert answered.is_answered


async def test_a_late_reply_reaches_nobody(node: FakeNode, autojump_clock: MockClock) -> None:
    node.faults.extend([5.0, 10.0])
    async with running_link(node) as link:
        abandoned = link.submit(statement(FIRST, 1, "SELECT 5"), 10)
        await trio.sleep(1)
        link.release(abandoned)
        current = link.submit(statement(FIRST, 2, "SELECT 2"), 10)
        assert (await current.next_reply()).sequence == 2
    assert not abandoned.has_replies


async def test_frames_are_bounded_in_bytes(node: FakeNode) -> None:
    async with running_link(node) as link:
        for number in range(5):
            link.submit(statement(bytes([number]) * 16, 1), FRAME_BYTES // 2)
        await wait_all_tasks_blocked()
    assert [len(frame) for frame in node.frames] == [2, 2, 1]


async def test_a_broken_stream_fails_every_attempt_once(node: FakeNode) -> None:
    node.faults.extend(["ignore", "ignore"])
    async with running_link(node) as link:
        attempts = [link.submit(statement(session, 1), 10) for session in (FIRST, SECOND)]
        await wait_all_tasks_blocked()
        node.stop()
        for attempt in attempts:
            with pytest.raises(ConnectionFailedError):
                await attempt.next_reply()
        assert not link.is_open
        late = link.submit(statement(FIRST, 2), 10)
        assert not late.is_sent
        with pytest.raises(ConnectionFailedError):
            await late.next_reply()


async def test_an_exclusive_link_reads_no_further_than_its_reader(node: FakeNode) -> None:
    async with running_link(node, is_exclusive=True) as link:
        attempt = link.submit(statement(FIRST, 1, "SELECT 300"), 10)
        await wait_all_tasks_blocked()
        for first in (1, 101, 201):
            assert (await attempt.next_reply()).rows[0] == (first,)
            assert not attempt.has_replies
            link.took_reply()
            await wait_all_tasks_blocked()
        assert attempt.is_answered
