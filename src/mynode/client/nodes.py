"""The nodes that a client knows, the shared link to each, and which to try next."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import trio

from mynode.base.errors import ClientClosedError, ConfigError, ConnectionFailedError, InvariantViolation, MyNodeError
from mynode.base.ids import Version
from mynode.client.link import Link
from mynode.client.options import ClientOptions
from mynode.client.status import StatusReport
from mynode.client.transport import Transport

SUSPECT_S: Final = 2.0
"""A node that failed is tried after the others for this long."""


class _Opening:
    """A connection on its way; what it comes to is set once, then `done`."""

    __slots__ = ("done", "error", "link")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.link: Link | None = None
        self.error: str | None = None


class Node:
    """One address: the transport to it, the link that all sessions share, and when it last failed."""

    def __init__(self, index: int, transport: Transport, options: ClientOptions, nursery: trio.Nursery) -> None:
        self.index = index
        self.transport = transport
        self._options = options
        self._nursery = nursery
        self._shared: Link | None = None
        self._opening: _Opening | None = None
        self._suspect_until = -float("inf")

    @property
    def is_suspect(self) -> bool:
        return trio.current_time() < self._suspect_until

    def suspect(self) -> None:
        """The node failed a statement: others are better for a while."""
        self._suspect_until = trio.current_time() + SUSPECT_S

    def trust(self) -> None:
        self._suspect_until = -float("inf")

    async def link(self) -> Link:
        """The shared link, opened if need be; raises `ConnectionFailedError`."""
        if self._shared is not None and self._shared.is_open:
            return self._shared
        if self._opening is None:
            self._opening = _Opening()
            self._nursery.start_soon(self._serve_shared, self._opening)
        return await _opened(self._opening)

    async def exclusive_link(self) -> Link:
        """A link of one's own; raises `ConnectionFailedError`. Whoever asked for it ends it by `Link.fail`."""
        opening = _Opening()
        self._nursery.start_soon(self._serve, opening, True)
        try:
            return await _opened(opening)
        except trio.Cancelled:
            opening.error = "nobody waits for this connection any more"
            if opening.link is not None:
                opening.link.fail(opening.error)
            raise

    def close_session(self, session_id: bytes) -> None:
        """Tell the node that the session is over, if there is a link."""
        if self._shared is not None:
            self._shared.close_session(session_id)

    async def report(self, timeout: float) -> StatusReport:  # noqa: ASYNC109
        """The node's status, or why there is none within `timeout` seconds."""
        address = self.transport.address
        try:
            with trio.fail_after(timeout):
                return StatusReport(address, await self.transport.status(), None)
        except trio.TooSlowError:
            return StatusReport(address, None, ConnectionFailedError(f"{address} does not answer"))
        except MyNodeError as error:
            return StatusReport(address, None, error)

    async def _serve_shared(self, opening: _Opening) -> None:
        try:
            await self._serve(opening, False)
        finally:
            if self._opening is opening:
                self._opening = None

    async def _serve(self, opening: _Opening, is_exclusive: bool) -> None:
        address = self.transport.address
        try:
            with trio.fail_after(self._options.connect_timeout):
                stream = await self.transport.connect()
        except trio.TooSlowError:
            opening.error = f"{address} does not answer"
        except MyNodeError as error:
            opening.error = error.message
        else:
            if opening.error is not None:
                await stream.close()
                return
            link = opening.link = Link(
                stream,
                address=address,
                probe=self.transport.status,
                options=self._options,
                is_exclusive=is_exclusive,
            )
            if not is_exclusive:
                self._shared, self._opening = link, None
            opening.done.set()
            await link.run()
        finally:
            opening.error = opening.error or f"the connection to {address} was closed"
            opening.done.set()


async def _opened(opening: _Opening) -> Link:
    await opening.done.wait()
    if opening.link is None:
        raise ConnectionFailedError(opening.error or "the connection was closed")
    return opening.link


class NodeSet:
    """All nodes of a client.

    Attributes:
        home: index of the node that sessions without a place of their own prefer; moves when that node fails.
        floor: the newest version seen in any answer; no later statement sees an older state.
        is_closed: the client is closed; every call that waited was answered with an error.
    """

    def __init__(self, transports: Sequence[Transport], options: ClientOptions, nursery: trio.Nursery) -> None:
        if not transports:
            raise ConfigError("a client needs the address of at least one node")
        self.options = options
        self.nodes = tuple(Node(index, transport, options, nursery) for index, transport in enumerate(transports))
        self.home = 0
        self.floor: Version = 0
        self.is_closed = False
        self._calls: set[trio.CancelScope] = set()

    def deadline(self, timeout: float | None) -> float:
        """`timeout` seconds from now, or the client's default, as a time of Trio's clock."""
        return trio.current_time() + (self.options.timeout if timeout is None else timeout)

    @contextmanager
    def call_until(self, deadline: float) -> Iterator[None]:
        """Leaves the block at the deadline, and when the client closes, which raises `ClientClosedError`."""
        if self.is_closed:
            raise ClientClosedError("the client is closed")
        with trio.CancelScope(deadline=deadline) as scope:
            self._calls.add(scope)
            try:
                yield
            finally:
                self._calls.discard(scope)
        if scope.cancelled_caught and self.is_closed:
            raise ClientClosedError(
                "the client was closed while the statement waited", detail="It may have been executed."
            )

    def close(self) -> None:
        """Answer every call that waits with `ClientClosedError`; later ones get it too."""
        self.is_closed = True
        for scope in self._calls:
            scope.cancel()

    def choose(self, start: int, tried: Collection[int]) -> Node:
        """The next node to try: from `start` in a circle, those that failed lately last, without those in `tried`."""
        first: Node | None = None
        for step in range(len(self.nodes)):
            node = self.nodes[(start + step) % len(self.nodes)]
            if node.index not in tried:
                if not node.is_suspect:
                    return node
                first = first or node
        if first is None:
            raise InvariantViolation("every node is tried")
        return first

    async def reach(self) -> str:
        """Open a link to the first node that can be reached; returns its address."""
        errors: dict[int, ConnectionFailedError] = {}
        while len(errors) < len(self.nodes):
            node = self.choose(self.home, errors)
            try:
                await node.link()
            except ConnectionFailedError as error:
                node.suspect()
                errors[node.index] = error
            else:
                self.home = node.index
                return node.transport.address
        reasons = "; ".join(dict.fromkeys(error.message for error in errors.values()))
        raise ConnectionFailedError(f"no node can be reached: {reasons}", hint="Is the cluster running?")

    def saw(self, version: Version) -> None:
        self.floor = max(self.floor, version)
