"""The links to the other nodes, which come and go with the members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Final

import structlog
import trio

from mynode.actors.mailbox import Inbox
from mynode.actors.peer_link import PeerLinkActor
from mynode.actors.ports import PeerTransport
from mynode.actors.protocol import PeerBatch, RaftMessage
from mynode.base.address import Address
from mynode.base.errors import ConfigError
from mynode.base.ids import NodeId
from mynode.base.limits import MAX_PEERS, PEER_OUTBOX_MESSAGES
from mynode.raft.membership import Membership

log = structlog.get_logger(__name__)

LINGER_S: Final = 10.0
"""A link to a node that is no member ends so long after the last message to it."""


@dataclass(slots=True)
class _Link:
    address: Address
    inbox: Inbox[PeerBatch]
    actor: PeerLinkActor | None
    """None where there is no transport."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    """Its deadline is infinite for members."""


class PeerLinks:
    """A `PeerLinkActor` for each other member, and for a while for nodes that are none.

    A node that is no member, as far as this node knows, is answered too: the leader that a joining node hears of the
    cluster from, a node that was away when it was removed and is told so, one that was removed a moment ago. Where
    such a node can be reached it says itself, by `greet`.

    Args:
        addresses: of the configuration; for the nodes it names they win over those that the log holds.
        transport: None for a node that has no peers.

    Invariants: at most `MAX_PEERS` links are to nodes that are no members; there is at most one link to a node.
    """

    def __init__(
        self,
        node_id: NodeId,
        *,
        raft: Inbox[RaftMessage],
        transport: PeerTransport | None,
        random: Random,
        addresses: Mapping[NodeId, Address],
    ) -> None:
        self._node_id = node_id
        self._raft = raft
        self._transport = transport
        self._random = random
        self._addresses = addresses
        self._links: dict[NodeId, _Link] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for peer, link in self._links.items():
                nursery.start_soon(self._run_link, peer, link)
            try:
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def address(self, node_id: NodeId, membership: Membership) -> Address | None:
        """Where a member is, if that is known."""
        known = self._addresses.get(node_id)
        try:
            return known or Address.parse(membership.members[node_id])
        except (KeyError, ConfigError):
            return None

    def update(self, membership: Membership) -> None:
        """These are the members from now on."""
        for peer, link in self._links.items():
            if peer not in membership.members and link.scope.deadline == inf:
                link.scope.deadline = trio.current_time() + LINGER_S
        for peer in membership.members:
            address = self.address(peer, membership)
            if peer != self._node_id and address is not None:
                link = self._open(peer, address)
                link.scope.deadline = inf
                if link.actor is not None:
                    link.actor.incarnation = membership.incarnations.get(peer, "")

    def greet(self, peer: NodeId, address: Address) -> None:
        """This node, perhaps no member, speaks to us and can be reached there."""
        link = self._links.get(peer)
        if link is not None and link.actor is not None:
            link.actor.peer_is_there()
        if link is not None and link.scope.deadline == inf:
            return
        strangers = [each for each, link in self._links.items() if link.scope.deadline < inf]
        if peer in strangers or len(strangers) < MAX_PEERS:
            self._open(peer, address).scope.deadline = trio.current_time() + LINGER_S

    def __contains__(self, peer: NodeId) -> bool:
        return peer in self._links

    def post(self, peer: NodeId, batch: PeerBatch) -> bool:
        """Send these, if there is a link that has room; else they are lost, as on their way."""
        link = self._links.get(peer)
        if link is None:
            return False
        if link.scope.deadline < inf:
            link.scope.deadline = trio.current_time() + LINGER_S
        return link.inbox.post(batch)

    def _open(self, peer: NodeId, address: Address) -> _Link:
        link = self._links.get(peer)
        if link is None or link.address != address:
            if link is not None:
                link.scope.cancel()
            link = self._links[peer] = self._make_link(peer, address)
            if self._nursery is not None:
                self._nursery.start_soon(self._run_link, peer, link)
        return link

    def _make_link(self, peer: NodeId, address: Address) -> _Link:
        inbox: Inbox[PeerBatch] = Inbox(PEER_OUTBOX_MESSAGES)
        actor = None
        if self._transport is not None:
            actor = PeerLinkActor(
                peer, address, inbox=inbox, raft=self._raft, transport=self._transport, random=self._random
            )
        return _Link(address, inbox, actor)

    async def _run_link(self, peer: NodeId, link: _Link) -> None:
        if link.actor is not None:
            with link.scope:
                await link.actor.run()
        if self._links.get(peer) is link:
            del self._links[peer]
