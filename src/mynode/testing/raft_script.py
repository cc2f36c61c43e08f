"""Golden scripts for the Raft core: a small language that drives a `RaftCluster`, and what it prints.

A script is a text of blocks with a blank line between: commands, a line `----`, and what they print. `#` begins a
comment. `run_script` gives the script with its outputs as they are now.

| command | does |
|---|---|
| `cluster SIZE [joining=N] [seed=N] [tail=ENTRIES] [election_ticks=N] ...` | voters 1 to SIZE, then nodes that wait to
  be added; any setting of `RaftConfig` by name |
| `log NODE TERM... [vote=NODE] [term=N]` | restart the node with this log on its disk, one term an entry; the first
  entry is the configuration |
| `tick NODE... [xCOUNT]` | ticks pass on each node in turn |
| `pause NODE MS` | the node is stopped for so long: no ticks, but its clock, 50 ms a tick otherwise, goes on |
| `campaign NODE` | ticks pass on the node alone until its election timeout |
| `elect NODE` | campaign, then settle |
| `deliver [A>B] [xCOUNT]` | messages arrive, of one link or all, until none is left or COUNT arrived |
| `repeat A>B` | what is on the link arrives, and stays on the way |
| `drop [A>B]`, `reverse A>B` | messages of the link are lost, are turned around |
| `cut A>B...`, `partition A B \\| C ...`, `heal` | links lose what is sent on them |
| `manual NODE...`, `auto NODE...` | the node's disk waits for `sync`, or syncs at once (as at first) |
| `sync NODE [xCOUNT] [untold]` | the oldest persists become durable; untold: the core does not hear of it yet |
| `load NODE` | the log store answers the oldest load (otherwise `settle` does) |
| `snapshot NODE`, `compact NODE [FIRST]` | a snapshot of all that is applied; the log before it, or FIRST, is cut off |
| `fetch NODE [gone]`, `store NODE`, `install NODE` | the oldest such effect is answered (otherwise `settle` does) |
| `damage NODE` | the first byte of the snapshot it receives turns |
| `settle` | deliver, load, sync, store and install (automatic disks) until nothing is left to do |
| `crash NODE... [installed]`, `restart NODE...` | what was not synced is lost |
| `hello NODE PEER INCARNATION` | NODE hears which incarnation PEER is |
| `add NODE ID`, `promote NODE ID`, `remove NODE ID` | ask NODE to change the members |
| `propose NODE NAME[:BYTES]...`, `cancel NODE NAME` | as one event |
| `read NODE TOKEN...`, `cancel-read NODE TOKEN` | |
| `transfer NODE [TO]`, `unreachable NODE PEER` | |
| `status [NODE...]`, `logs [NODE...]`, `applied [NODE...]`, `network` | show |
| `trace events\\|messages\\|off` | what later commands print: events; and all messages, persists and loads; nothing |

Entries print as index/term:name, persists and messages by their fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, Final, TypeAlias

from mynode.base.ids import NodeId
from mynode.base.limits import TICK_MS
from mynode.raft.config import RaftConfig
from mynode.raft.effects import Effects, HardState, Role
from mynode.raft.events import (
    CancelProposal,
    CancelRead,
    ChangeMembership,
    Event,
    PeerIntroduced,
    PeerUnreachable,
    Propose,
    ReadIndex,
    Receive,
    SnapshotInstalled,
    Tick,
    TransferLeadership,
)
from mynode.raft.membership import ChangeKind, MembershipChange, encode_membership
from mynode.raft.messages import Entry, EntryKind, Proposal
from mynode.testing.raft_cluster import RaftCluster, SimulatedNode
from mynode.testing.raft_disk import Disk
from mynode.testing.raft_text import describe_entries, describe_membership, describe_message

MAX_TICKS_TO_CAMPAIGN: Final = 1_000

Command: TypeAlias = "Callable[[list[str]], None]"


class ScriptError(Exception):
    """A command of the script is wrong; says which."""


def run_script(text: str) -> str:
    """The script with every block's output as the core gives it now.

    Raises:
        ScriptError: a command is unknown or wrong.
    """
    runner = RaftScript()
    blocks = []
    for block in text.strip("\n").split("\n\n"):
        if not block.strip("\n"):
            continue
        commands = block.strip("\n").split("\n----", 1)[0]
        output = runner.run(commands.split("\n"))
        has_commands = any(line and not line.startswith("#") for line in commands.split("\n"))
        blocks.append("\n".join([commands, "----", *output]) if has_commands else commands)
    return "\n\n".join(blocks) + "\n"


class RaftScript:
    """Runs commands and collects what they print."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._trace = "events"
        self._manual: set[NodeId] = set()
        self._cluster = RaftCluster(1)
        self._commands: dict[str, Command] = {
            name.removeprefix("_do_").replace("_", "-"): getattr(self, name)
            for name in dir(self)
            if name.startswith("_do_")
        }

    def run(self, lines: Sequence[str]) -> list[str]:
        self._out = []
        for line in lines:
            words = line.split("#", 1)[0].split()
            if not words:
                continue
            command = self._commands.get(words[0])
            if command is None:
                raise ScriptError(f"unknown command: {line}")
            try:
                command(words[1:])
            except (KeyError, ValueError, IndexError, TypeError) as error:
                raise ScriptError(f"{line}: {error!r}") from error
        return self._out

    # --- printing ----------------------------------------------------------------------------------------------------

    def _print(self, line: str) -> None:
        self._out.append(line)

    def _on_step(self, node: SimulatedNode, events: Sequence[Event], effects: Effects) -> None:
        if self._trace == "off":
            return
        name = node.node_id
        if self._trace == "messages":
            for event in events:
                if isinstance(event, Receive):
                    self._print(f"{name} < {event.sender} {describe_message(event.message)}")
        change = effects.leader_change
        if change is not None:
            self._print(f"{name}: {change.role.value} of term {change.term}, leader {change.leader or 'unknown'}")
        if effects.membership is not None:
            self._print(f"{name}: members {describe_membership(effects.membership)}")
        if self._trace == "messages":
            self._print_messages(name, effects)
        if any(isinstance(event, SnapshotInstalled) and event.installed for event in events):
            self._print(f"{name}: has installed a snapshot up to {node.core.status().commit}")
        if effects.removed:
            self._print(f"{name}: is removed")
        for refused in effects.changes_refused:
            self._print(f"{name}: refuses {refused.id.decode()}: {refused.reason.value}")
        for transfer in effects.transfers_refused:
            self._print(f"{name}: does not hand over to {transfer.to or 'anybody'}: {transfer.reason.value}")
        if effects.committed:
            self._print(f"{name}: delivers {describe_entries(effects.committed)}")
        for ready in effects.read_ready:
            self._print(f"{name}: read {ready.token} at {ready.index}")
        for rejected in effects.rejected:
            key = rejected.key.decode() if isinstance(rejected.key, bytes) else rejected.key
            self._print(f"{name}: rejects {key}: {rejected.reason.value}")

    def _print_messages(self, name: NodeId, effects: Effects) -> None:
        for send in effects.send:
            self._print(f"{name} > {send.to} {describe_message(send.message)}")
        persist = effects.persist
        if persist is not None:
            parts = [] if persist.hard_state is None else [_describe_hard_state(persist.hard_state)]
            parts += [describe_entries(persist.entries)] if persist.entries else []
            self._print(f"{name}: persists #{persist.number} {', '.join(parts)}")
        for send in effects.send_after_persist:
            self._print(f"{name} > {send.to} {describe_message(send.message)} (after persist)")
        for load in effects.load:
            self._print(f"{name}: loads {load.first}..{load.last}")
        for part in effects.load_snapshot:
            self._print(f"{name}: loads snapshot {part.index}/{part.term} from {part.offset}")
        if effects.store_chunk is not None:
            chunk = effects.store_chunk
            self._print(f"{name}: stores snapshot {chunk.index}/{chunk.term} bytes {chunk.offset}+{len(chunk.data)}")
        if effects.install is not None:
            snapshot = effects.install.snapshot
            members = describe_membership(snapshot.membership)
            self._print(f"{name}: installs snapshot {snapshot.index}/{snapshot.term} {members}")

    # --- the cluster -------------------------------------------------------------------------------------------------

    def _do_cluster(self, words: list[str]) -> None:
        options = dict(word.split("=") for word in words[1:])
        seed = int(options.pop("seed", "0"))
        tail = options.pop("tail", None)
        joining = int(options.pop("joining", "0"))
        names = {field.name for field in fields(RaftConfig)}
        if not options.keys() <= names:
            raise ScriptError(f"unknown settings: {sorted(options.keys() - names)}")
        settings: dict[str, Any] = {
            "election_ticks": 10,
            "heartbeat_ticks": 2,
            **{name: int(value) for name, value in options.items()},
        }
        size = int(words[0])
        config = RaftConfig(1, tuple(range(1, size + 1)), **settings)
        self._manual.clear()
        self._cluster = RaftCluster(
            size,
            joining=joining,
            seed=seed,
            config=config,
            tail_entries=None if tail is None else int(tail),
            on_step=self._on_step,
        )

    def _do_log(self, words: list[str]) -> None:
        options = dict(word.split("=") for word in words if "=" in word)
        node_id, *terms = [int(word) for word in words if "=" not in word]
        entries = [
            Entry(term, index, EntryKind.COMMAND, b"", f"e{index}".encode()) for index, term in enumerate(terms, 1)
        ]
        members = encode_membership(self._cluster.nodes[node_id].core.membership)
        entries[:1] = [replace(first, kind=EntryKind.CONFIG, payload=members) for first in entries[:1]]
        term = int(options.get("term", max(terms, default=0)))
        disk = Disk(HardState(term, int(options["vote"]) if "vote" in options else None), entries)
        self._cluster.nodes[node_id].disk = disk
        self._cluster.restart(node_id)

    def _do_crash(self, words: list[str]) -> None:
        for node_id in self._nodes(words):
            self._cluster.crash(node_id, installed="installed" in words)

    def _do_restart(self, words: list[str]) -> None:
        for node_id in self._nodes(words):
            self._cluster.restart(node_id)

    # --- time --------------------------------------------------------------------------------------------------------

    def _do_tick(self, words: list[str]) -> None:
        count = _count(words, default=1)
        for _ in range(count):
            for node_id in self._nodes(words):
                self._tick(node_id)

    def _tick(self, node_id: NodeId) -> None:
        self._cluster.clocks_ms[node_id] += TICK_MS
        self._step(node_id, Tick())

    def _do_pause(self, words: list[str]) -> None:
        self._cluster.clocks_ms[int(words[0])] += int(words[1])

    def _do_campaign(self, words: list[str]) -> None:
        node_id = int(words[0])
        for _ in range(MAX_TICKS_TO_CAMPAIGN):
            before = self._cluster.nodes[node_id].core.status()
            sent_before = self._sent_by(node_id)
            self._tick(node_id)
            after = self._cluster.nodes[node_id].core.status()
            began = after.role is not before.role and after.role is not Role.FOLLOWER
            if began or self._sent_by(node_id) > sent_before:
                return
        raise ScriptError(f"{node_id} does not campaign")

    def _sent_by(self, node_id: NodeId) -> int:
        return sum(each.sender == node_id for each in self._cluster.network)

    def _do_elect(self, words: list[str]) -> None:
        self._do_campaign(words)
        self._do_settle([])

    # --- messages ----------------------------------------------------------------------------------------------------

    def _do_deliver(self, words: list[str]) -> None:
        count = _count(words, default=10_000)
        link = _link(words[0]) if words and ">" in words[0] else None
        for _ in range(count):
            places = self._places(link)
            if not places:
                return
            receiver = self._cluster.network[places[0]].to
            self._cluster.deliver(places[0])
            self._sync_automatic(receiver)

    def _do_repeat(self, words: list[str]) -> None:
        for place in self._places(_link(words[0])):
            receiver = self._cluster.network[place].to
            self._cluster.deliver(place, keep=True)
            self._sync_automatic(receiver)

    def _do_drop(self, words: list[str]) -> None:
        lost = set(self._places(_link(words[0]) if words else None))
        self._cluster.network = [each for place, each in enumerate(self._cluster.network) if place not in lost]

    def _do_reverse(self, words: list[str]) -> None:
        network = self._cluster.network
        places = self._places(_link(words[0]))
        turned = [network[place] for place in reversed(places)]
        for place, envelope in zip(places, turned, strict=True):
            network[place] = envelope

    def _do_cut(self, words: list[str]) -> None:
        self._cluster.cut |= {_link(word) for word in words}

    def _do_partition(self, words: list[str]) -> None:
        groups = [[int(word) for word in group.split()] for group in " ".join(words).split("|")]
        self._cluster.partition(*groups)

    def _do_heal(self, words: list[str]) -> None:
        self._cluster.heal()

    def _do_network(self, words: list[str]) -> None:
        for each in self._cluster.network:
            self._print(f"{each.sender} > {each.to} {describe_message(each.message)}")

    def _places(self, link: tuple[NodeId, NodeId] | None) -> list[int]:
        return [
            place for place, each in enumerate(self._cluster.network) if link is None or link == (each.sender, each.to)
        ]

    # --- the disk ----------------------------------------------------------------------------------------------------

    def _do_manual(self, words: list[str]) -> None:
        self._manual |= set(self._nodes(words))

    def _do_auto(self, words: list[str]) -> None:
        self._manual -= set(self._nodes(words))

    def _do_sync(self, words: list[str]) -> None:
        node_id = int(words[0])
        for _ in range(_count(words, default=1)):
            self._cluster.sync(node_id, tell="untold" not in words)

    def _do_load(self, words: list[str]) -> None:
        self._cluster.answer_load(int(words[0]))
        self._sync_automatic(int(words[0]))

    def _do_snapshot(self, words: list[str]) -> None:
        self._cluster.take_snapshot(int(words[0]))

    def _do_compact(self, words: list[str]) -> None:
        self._cluster.compact(int(words[0]), int(words[1]) if len(words) > 1 else None)

    def _do_fetch(self, words: list[str]) -> None:
        self._cluster.answer_snapshot_load(int(words[0]), gone="gone" in words)

    def _do_store(self, words: list[str]) -> None:
        self._cluster.answer_store(int(words[0]))

    def _do_damage(self, words: list[str]) -> None:
        disk = self._cluster.nodes[int(words[0])].disk
        disk.received = b"\xc1" + disk.received[1:]

    def _do_install(self, words: list[str]) -> None:
        self._cluster.answer_install(int(words[0]))
        self._sync_automatic(int(words[0]))

    def _sync_automatic(self, node_id: NodeId) -> None:
        while node_id not in self._manual and self._cluster.nodes[node_id].disk.waiting:
            self._cluster.sync(node_id)

    def _do_settle(self, words: list[str]) -> None:
        while True:
            self._do_deliver([])
            answered = [self._answer_disk(node) for node in self._cluster.nodes.values() if node.alive]
            if not any(answered) and not self._cluster.network:
                return

    def _answer_disk(self, node: SimulatedNode) -> bool:
        """Answer one of each that the node asked its disk for; returns whether there was any."""
        words = [str(node.node_id)]
        is_manual = node.node_id in self._manual
        is_busy = bool(node.loads or node.snapshot_loads or (not is_manual and (node.stores or node.installs)))
        self._do_load(words)
        self._do_fetch(words)
        if not is_manual:
            self._do_store(words)
            self._do_install(words)
        return is_busy

    # --- clients and operators ---------------------------------------------------------------------------------------

    def _do_propose(self, words: list[str]) -> None:
        proposals = []
        for word in words[1:]:
            name, _, size = word.partition(":")
            payload = name.encode().ljust(int(size or 0), b".")
            proposals.append(Proposal(name.encode(), EntryKind.COMMAND, payload))
        self._step(int(words[0]), Propose(tuple(proposals)))

    def _do_cancel(self, words: list[str]) -> None:
        self._step(int(words[0]), CancelProposal(words[1].encode()))

    def _do_read(self, words: list[str]) -> None:
        self._step(int(words[0]), *[ReadIndex(int(word)) for word in words[1:]])

    def _do_cancel_read(self, words: list[str]) -> None:
        self._step(int(words[0]), CancelRead(int(words[1])))

    def _do_transfer(self, words: list[str]) -> None:
        self._step(int(words[0]), TransferLeadership(int(words[1]) if len(words) > 1 else None))

    def _do_unreachable(self, words: list[str]) -> None:
        self._step(int(words[0]), PeerUnreachable(int(words[1])))

    def _do_hello(self, words: list[str]) -> None:
        self._step(int(words[0]), PeerIntroduced(int(words[1]), words[2]))

    def _do_add(self, words: list[str]) -> None:
        self._change(ChangeKind.ADD_LEARNER, words)

    def _do_promote(self, words: list[str]) -> None:
        self._change(ChangeKind.PROMOTE, words)

    def _do_remove(self, words: list[str]) -> None:
        self._change(ChangeKind.REMOVE, words)

    def _change(self, kind: ChangeKind, words: list[str]) -> None:
        id_ = f"{kind.name.lower().replace('_', '-')}-{words[1]}".encode()
        change = MembershipChange(kind, int(words[1]), f"node{words[1]}")
        self._step(int(words[0]), ChangeMembership(id_, change))

    # --- showing -----------------------------------------------------------------------------------------------------

    def _do_status(self, words: list[str]) -> None:
        for node_id in self._nodes(words):
            node = self._cluster.nodes[node_id]
            if not node.alive:
                self._print(f"{node_id}: down")
                continue
            status = node.core.status()
            self._print(
                f"{node_id}: {status.role.value} term={status.term} leader={status.leader or 'unknown'}"
                f" commit={status.commit} last={status.last_index}"
            )
            for peer in status.peers:
                if peer.state:
                    self._print(f"   {peer.peer}: {peer.state} match={peer.match_index} next={peer.next_index}")

    def _do_logs(self, words: list[str]) -> None:
        for node_id in self._nodes(words):
            self._print(f"{node_id}: {describe_entries(self._cluster.nodes[node_id].log)}")

    def _do_applied(self, words: list[str]) -> None:
        for node_id in self._nodes(words):
            self._print(f"{node_id}: {describe_entries(self._cluster.nodes[node_id].applied)}")

    def _do_disk(self, words: list[str]) -> None:
        for node_id in self._nodes(words):
            disk = self._cluster.nodes[node_id].disk
            self._print(f"{node_id}: {_describe_hard_state(disk.hard_state)}, {describe_entries(disk.entries)}")

    def _do_trace(self, words: list[str]) -> None:
        if words[0] not in ("events", "messages", "off"):
            raise ScriptError(f"unknown trace: {words[0]}")
        self._trace = words[0]

    # --- help --------------------------------------------------------------------------------------------------------

    def _step(self, node_id: NodeId, *events: Event) -> None:
        if self._cluster.nodes[node_id].alive:
            self._cluster.step(node_id, *events)
            self._sync_automatic(node_id)

    def _nodes(self, words: Iterable[str]) -> list[NodeId]:
        named = [int(word) for word in words if word.isdecimal()]
        return named or list(self._cluster.nodes)


def _count(words: Iterable[str], *, default: int) -> int:
    counts = [int(word[1:]) for word in words if word.startswith("x") and word[1:].isdecimal()]
    return counts[0] if counts else default


def _link(word: str) -> tuple[NodeId, NodeId]:
    sender, _, receiver = word.partition(">")
    return int(sender), int(receiver)


def _describe_hard_state(state: HardState) -> str:
    return f"term {state.term} vote {state.voted_for or 'none'}"
