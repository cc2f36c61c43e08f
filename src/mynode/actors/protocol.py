"""The map of a node: every actor, what its inbox takes, who sends it, and what happens when it is full.

| actor          | inbox takes      | senders                        | capacity               | when full           |
|----------------|------------------|--------------------------------|------------------------|---------------------|
| rpc_front      | `FrontMessage`   | services (rpc/), embedded      | `FRONT_INBOX`          | the request refused |
| sql_session ×n | `SessionRequest` | rpc_front, services            | `limits.SESSION_INBOX` | the request refused |
| raft           | `RaftMessage`    | sql_session, hot_lane, peers,  | `RAFT_INBOX`           | asks refused, the   |
|                |                  | log_store, state_machine,      |                        | rest dropped        |
|                |                  | checkpointer, peer_link,       |                        |                     |
|                |                  | ticker                         |                        |                     |
| log_store      | `LogMessage`     | raft, services, checkpointer   | `LOG_INBOX`            | offered again later |
| checkpointer   | `PagesMessage`   | raft                           | `PAGES_INBOX`          | offered again later |
| state_machine  | `StateMessage`   | raft, sql_session, hot_lane,   | `STATE_INBOX`          | the sender waits    |
|                |                  | rpc_front, checkpointer        |                        |                     |
| lane_router    | `RouterMessage`  | sql_session, services (peers)  | `ROUTER_INBOX`         | refused or dropped  |
| hot_lane       | `LaneTask`       | lane_router                    | `LANE_INBOX`           | refused             |
| peer_link ×n   | `PeerBatch`      | raft, lane_router, hot_lane    | `PEER_OUTBOX_MESSAGES` | dropped             |

Whoever waits for room waits along this order, so no cycle can: checkpointer → log_store, sql_session, hot_lane → raft →
state_machine. What goes the other way never waits: a `Reply` has room for its one answer, and raft never waits for the
disk: what log_store and checkpointer have no room for stays with raft until its next wake. So raft comes to its inbox
soon, whatever the disk does; `RAFT_RESERVED` places of it are only for what must not be refused.

Messages are frozen; the `Reply` in an ask is the only part that changes, once. Every ask is answered exactly once, at
shutdown too: an actor that ends answers what it holds and what waits in its inbox with `ShuttingDownError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import trio

from mynode.actors.mailbox import Reply
from mynode.actors.ports import PeerMessage
from mynode.base.errors import MyNodeError
from mynode.base.ids import LogIndex, NodeId, ProposalId
from mynode.base.limits import MAX_SESSIONS, PEER_INBOX_MESSAGES
from mynode.machine.machine import Machine, MachineStatus
from mynode.machine.outcomes import Outcome
from mynode.mvcc.view import ReadView
from mynode.raft.effects import InstallSnapshot, Load, LoadSnapshot, Persist, RaftStatus, StoreSnapshotChunk
from mynode.raft.events import Compacted, PeerIntroduced, SnapshotInstalled, SnapshotLoaded, SnapshotStored
from mynode.raft.membership import Membership, MembershipChange
from mynode.raft.messages import Entry, Message
from mynode.session.api import KnownMembers, SessionRequest, StatementReply, StatementRequest
from mynode.session.lane_api import LaneAnswer, LaneMessage
from mynode.storage.raft_log import RaftLog

LOG_INBOX: Final = 1_024
PAGES_INBOX: Final = 64
STATE_INBOX: Final = 2 * MAX_SESSIONS
FRONT_INBOX: Final = 1_024
ROUTER_INBOX: Final = 2 * MAX_SESSIONS
LANE_INBOX: Final = MAX_SESSIONS
RAFT_RESERVED: Final = MAX_SESSIONS + 2 * LOG_INBOX + PAGES_INBOX + 16
"""Places of raft's inbox for the one `AbandonProposal` that a session or the lane has there, and for what log_store,
checkpointer and state_machine answer."""
RAFT_INBOX: Final = 2 * MAX_SESSIONS + PEER_INBOX_MESSAGES + RAFT_RESERVED


# --- to raft ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProposeAsk:
    """A session wants `command` in the raft log; answered by state_machine with the command's outcome."""

    id: ProposalId
    command: bytes
    reply: Reply[Outcome]


@dataclass(frozen=True, slots=True)
class AbandonProposal:
    """The session's deadline has come. Raft answers the proposal's `Reply` at once with an error that says whether the
    command can still be applied, unless the outcome is on its way."""

    id: ProposalId


@dataclass(frozen=True, slots=True)
class ReadAsk:
    """A session wants a view that holds every write acknowledged so far, anywhere; state_machine answers."""

    reply: Reply[ReadView]


@dataclass(frozen=True, slots=True)
class FromPeer:
    """A frame of messages arrived from another node."""

    sender: NodeId
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class LinkBroken:
    """What was on its way to the peer may be lost."""

    peer: NodeId


@dataclass(frozen=True, slots=True)
class PersistDone:
    """log_store: the `AppendPersists` that ends with this number is durable."""

    number: int


@dataclass(frozen=True, slots=True)
class LoadDone:
    """log_store: the entries that `Load` of this generation asked for."""

    generation: int
    first: LogIndex
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class DiskFull:
    """log_store: an append found no room and waits for it; or, not `is_full`, found some again."""

    is_full: bool


@dataclass(frozen=True, slots=True)
class CheckpointDone:
    """checkpointer: the state as of `index` is durable; the log up to `log_needed_after` is of no use to this node."""

    index: LogIndex
    log_needed_after: LogIndex


@dataclass(frozen=True, slots=True)
class Applied:
    """state_machine: an `ApplyEntries` that asked for it is applied, and all before it."""


@dataclass(frozen=True, slots=True)
class TickNow:
    """The ticker: `limits.TICK_MS` have passed. One at most waits in raft's inbox."""


@dataclass(frozen=True, slots=True)
class RaftStatusAsk:
    reply: Reply[RaftStatus]


@dataclass(frozen=True, slots=True)
class TransferAsk:
    """An operator, or the stop of this node, wants `to` (None: whoever holds most) to lead; answered with who leads."""

    to: NodeId | None
    reply: Reply[NodeId]


@dataclass(frozen=True, slots=True)
class ChangeAsk:
    """An operator wants the members changed; answered with the members once the change is committed."""

    id: ProposalId
    change: MembershipChange
    reply: Reply[Membership]


RaftMessage: TypeAlias = (
    ProposeAsk
    | AbandonProposal
    | ReadAsk
    | FromPeer
    | LinkBroken
    | PeerIntroduced
    | PersistDone
    | LoadDone
    | DiskFull
    | CheckpointDone
    | Compacted
    | SnapshotLoaded
    | SnapshotStored
    | SnapshotInstalled
    | Applied
    | TickNow
    | RaftStatusAsk
    | TransferAsk
    | ChangeAsk
)
"""Among them are events of the raft core: log_store answers `CutLog` by `Compacted`, checkpointer its messages."""


# --- to log_store ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AppendPersists:
    """raft: append these, at least one, in one fsync. The next is sent once `PersistDone` has answered this one."""

    persists: tuple[Persist, ...]


@dataclass(frozen=True, slots=True)
class LogStatus:
    """The raft log on disk: its indexes and its size in bytes."""

    first_index: LogIndex
    last_index: LogIndex
    bytes: int
    is_disk_full: bool


@dataclass(frozen=True, slots=True)
class LogStatusAsk:
    reply: Reply[LogStatus]


@dataclass(frozen=True, slots=True)
class CutLog:
    """raft: what is before `first_wanted` may go; of a log beyond `limits.MAX_LOG_BYTES`, what is before `first_kept`.

    Answered by `Compacted` if something went.
    """

    first_wanted: LogIndex
    first_kept: LogIndex


@dataclass(frozen=True, slots=True)
class FinishInstall:
    """checkpointer: let a snapshot take the log's place, by `finish`; then set `done`."""

    finish: Callable[[RaftLog], object]
    done: trio.Event


LogMessage: TypeAlias = AppendPersists | Load | LogStatusAsk | CutLog | FinishInstall


# --- to checkpointer -------------------------------------------------------------------------------------------------

PagesMessage: TypeAlias = LoadSnapshot | StoreSnapshotChunk | InstallSnapshot
"""Effects of the raft core, answered by its events `SnapshotLoaded`, `SnapshotStored` and `SnapshotInstalled`."""


# --- to state_machine ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ApplyEntries:
    """raft: apply these, in order; `replies` are the waiting proposers, by index. `tell`: answer with `Applied`."""

    entries: tuple[Entry, ...]
    replies: Mapping[LogIndex, Reply[Outcome]]
    tell: bool = False


@dataclass(frozen=True, slots=True)
class OpenViews:
    """Answer each with the newest view, once it has applied `at_least`."""

    at_least: LogIndex
    replies: tuple[Reply[ReadView], ...]


@dataclass(frozen=True, slots=True)
class RefuseViews:
    """raft: what waits for a newer state is answered with this error; that state will not come soon."""

    error: MyNodeError


@dataclass(frozen=True, slots=True)
class MachineStatusAsk:
    reply: Reply[MachineStatus]


@dataclass(frozen=True, slots=True)
class ReplaceMachine:
    """checkpointer: a snapshot was installed; go on with this machine, which stands over it, and set `done`."""

    machine: Machine
    done: trio.Event


@dataclass(frozen=True, slots=True)
class BeginCheckpoint:
    """checkpointer: call this while no entry is half applied, and set `done`."""

    begin: Callable[[], None]
    done: trio.Event


StateMessage: TypeAlias = ApplyEntries | OpenViews | RefuseViews | MachineStatusAsk | ReplaceMachine | BeginCheckpoint


# --- to lane_router and hot_lane -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LaneAsk:
    """A session wants its statement run in the lane of the leader's node. It waits for a while, then goes on."""

    request: StatementRequest
    reply: Reply[LaneAnswer]


@dataclass(frozen=True, slots=True)
class LaneFromPeer:
    """Messages of another node about lanes: statements for this one's, answers of that one's."""

    sender: NodeId
    messages: tuple[LaneMessage, ...]


RouterMessage: TypeAlias = LaneAsk | LaneFromPeer


@dataclass(frozen=True, slots=True)
class PeerAsk:
    """Whom to answer: the request of that number of another node."""

    peer: NodeId
    number: int


@dataclass(frozen=True, slots=True)
class LaneTask:
    """lane_router: run this statement, and tell the one who asked."""

    request: StatementRequest
    asker: Reply[LaneAnswer] | PeerAsk


# --- to peer_link ----------------------------------------------------------------------------------------------------

PeerBatch: TypeAlias = tuple[PeerMessage, ...]
"""Messages of one wake of an actor to one peer, in order."""


# --- to rpc_front ----------------------------------------------------------------------------------------------------


class Connection(Protocol):
    """A client connection as the node sees it."""

    async def put(self, reply: StatementReply) -> None:
        """Queue a reply; waits while the client does not read."""

    def refuse(self, request: SessionRequest, error: MyNodeError) -> None:
        """Answer a request that no session will work on."""

    def tell(self, members: KnownMembers) -> None:
        """The client shall hear of the cluster's members."""

    def shut(self) -> None:
        """No more replies will come."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Requests arrived on a connection, of which the first opens a session."""

    connection: Connection
    requests: tuple[SessionRequest, ...]


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Connections ended (rpc_front has a list of them): their sessions close, running statements are cancelled.

    Only wakes rpc_front; dropped when its inbox is full, for then it wakes anyhow.
    """


FrontMessage: TypeAlias = Submit | Disconnect
