"""The nodes that a client knows, the shared link to each, and which to try next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, TypeAlias

import trio

from mynode.base.errors import ClientClosedError, ConfigError, ConnectionFailedError, MyNodeError
from mynode.base.ids import Version
from mynode.client.link import Link
from mynode.client.options import ClientOptions
from mynode.client.status import StatusReport
from mynode.client.transport import Transport
from mynode.session.api import KnownMembers

MakeTransport: TypeAlias = Callable[[str], Transport]
"""The way to the node at `host:port`; raises `ConfigError` for what is no address."""

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
    """One address: the transport to it, the link that all sessions share, and when it last failed.

    Attributes:
        is_configured: the client was given the address; else the cluster named it.
        is_usable: statements may be sent there: it is configured, or was reached before.
    """

    def __init__(
        self,
        index: int,
        transport: Transport,
        options: ClientOptions,
        nursery: trio.Nursery,
        *,
        on_members: Callable[[KnownMembers], None],
        is_configured: bool,
    ) -> None:
        self.index = index
        self.transport = transport
        self.is_configured = self.is_usable = is_configured
        self._options = options
        self._nursery = nursery
        self._on_members = on_members
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

    async def try_out(self) -> None:
        """Open the shared link, which makes the node usable if it can be reached."""
        try:
            await self.link()
        except ConnectionFailedError:
            self.suspect()

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
                on_members=self._on_members,
                is_exclusive=is_exclusive,
            )
            self.is_usable = True
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
    """All nodes of a client: the configured ones, and those that the cluster names beside them.

    What a node says of the cluster's members may be of no use here: its machine may be known by another name, as those
    of containers are. So nobody waits for a node that was never reached. It is tried in the background, at once if
    sessions are spread over all nodes, else when another one fails, and then is as good as a configured one.

    Args:
        make_transport: for members that are not configured; None: they are ignored.

    Invariants: `nodes` ascends by index, the configured ones first, at the place of their index; an index is never
    used again.

    Attributes:
        home: index of the node that sessions without a place of their own prefer; moves when that node fails.
        floor: the newest version seen in any answer; no later statement sees an older state.
        is_closed: the client is closed; every call that waited was answered with an error.
    """

    def __init__(
        self,
        transports: Sequence[Transport],
        options: ClientOptions,
        nursery: trio.Nursery,
        make_transport: MakeTransport | None = None,
    ) -> None:
        if not transports:
            raise ConfigError("a client needs the address of at least one node")
        self.options = options
        self._nursery = nursery
        self._make_transport = make_transport
        self._members_index = 0
        self._next_index = 0
        self.configured = tuple(self._node(transport, is_configured=True) for transport in transports)
        self.nodes = self.configured
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

    # --- which nodes there are ----------------------------------------------------------------------------------------

    def _node(self, transport: Transport, *, is_configured: bool) -> Node:
        index, self._next_index = self._next_index, self._next_index + 1
        return Node(
            index,
            transport,
            self.options,
            self._nursery,
            on_members=self._learn,
            is_configured=is_configured,
        )

    def _learn(self, members: KnownMembers) -> None:
        """Take up the members that a node names, and forget those that are none any more; older news says nothing."""
        if self._make_transport is None or members.index < self._members_index or self.is_closed:
            return
        self._members_index = members.index
        kept = [node for node in self.nodes if node.is_configured or node.transport.address in members.addresses]
        known = {node.transport.address for node in kept}
        for address in members.addresses:
            if address not in known:
                with suppress(ConfigError):
                    kept.append(self._node(self._make_transport(address), is_configured=False))
        self.nodes = tuple(kept)
        if self.options.spread == "round_robin":
            self._try_others()

    def _try_others(self) -> None:
        """Find out which of the nodes that the cluster named can be reached."""
        for node in self.nodes:
            if not node.is_usable and not node.is_suspect:
                self._nursery.start_soon(node.try_out)

    def failed(self, node: Node) -> None:
        """The node failed a statement: others are better for a while."""
        node.suspect()
        self._try_others()

    def close_session(self, index: int, session_id: bytes) -> None:
        """See `Node.close_session`; nothing if the node is forgotten."""
        for node in self.nodes:
            if node.index == index:
                node.close_session(session_id)

    # --- which node is next -------------------------------------------------------------------------------------------

    @property
    def usable(self) -> Sequence[Node]:
        return [node for node in self.nodes if node.is_usable]

    def choose(self, start: int, tried: Collection[int]) -> Node | None:
        """The next node to try: from index `start` in a circle, those that failed lately last; None if all of them are
        in `tried`."""
        nodes = self.nodes
        if start >= len(nodes) or nodes[start].index != start:
            start = next((place for place, node in enumerate(nodes) if node.index >= start), 0)
        first: Node | None = None
        for step in range(len(nodes)):
            node = nodes[(start + step) % len(nodes)]
            if node.is_usable and node.index not in tried:
                if not node.is_suspect:
                    return node
                first = first or node
        return first

    async def reach(self) -> str:
        """Open a link to the first node that can be reached; returns its address."""
        errors: dict[int, ConnectionFailedError] = {}
        while (node := self.choose(self.home, errors)) is not None:
            try:
                await node.link()
            except ConnectionFailedError as error:
                self.failed(node)
                errors[node.index] = error
            else:
                self.home = node.index
                return node.transport.address
        reasons = "; ".join(dict.fromkeys(error.message for error in errors.values()))
        raise ConnectionFailedError(f"no node can be reached: {reasons}", hint="Is the cluster running?")

    def saw(self, version: Version) -> None:
        self.floor = max(self.floor, version)
