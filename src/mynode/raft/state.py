"""What the parts of a `RaftCore` share: Figure 2's state, the tick count, and the effects of the running step."""

from __future__ import annotations

from random import Random

from mynode.base.ids import LogIndex, NodeId, Term
from mynode.raft.config import RaftConfig, Restored
from mynode.raft.effects import Effects, Load, Role, Send
from mynode.raft.log import Log
from mynode.raft.messages import Message


class NodeState:
    """One node's Raft state. The parts read it freely; who writes what is said here.

    - `core` writes `term`, `voted_for`, `role`, `leader` and `now` (ticks since the start).
    - `Log` is appended to by `Proposals` and `AppendReceiver`.
    - `commit` is raised by `Leadership` and `AppendReceiver`.
    """

    def __init__(self, config: RaftConfig, restored: Restored, random: Random) -> None:
        self.config = config
        self.node_id: NodeId = config.node_id
        self.peers: tuple[NodeId, ...] = tuple(peer for peer in config.voters if peer != config.node_id)
        self.quorum: int = len(config.voters) // 2 + 1
        self.random = random
        self.term: Term = restored.hard_state.term
        self.voted_for: NodeId | None = restored.hard_state.voted_for
        self.hard_state_changed = False
        self.role = Role.FOLLOWER
        self.leader: NodeId | None = None
        self.now = 0
        self.log = Log(restored, config.log_tail_bytes)
        self.commit: LogIndex = restored.applied_index
        self.effects = Effects()
        self._loads = 0

    def send(self, to: NodeId, message: Message) -> None:
        """At once: nothing in it rests on what is not durable yet."""
        self.effects.send.append(Send(to, message))

    def send_after_persist(self, to: NodeId, message: Message) -> None:
        """Once all that this step and earlier ones persist is durable."""
        self.effects.send_after_persist.append(Send(to, message))

    def load(self, first: LogIndex, last: LogIndex, max_bytes: int) -> int:
        """Ask the log store for entries; returns the generation that names the answer."""
        self._loads += 1
        self.effects.load.append(Load(self._loads, first, last, max_bytes))
        return self._loads
