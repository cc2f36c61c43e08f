"""checkpointer: makes the applied state durable now and then, sends it as a snapshot, and installs others'."""

from __future__ import annotations

from typing import Final, assert_never

import structlog
import trio

from mynode.actors.log_store import RunBlocking, in_thread
from mynode.actors.mailbox import Inbox
from mynode.actors.protocol import (
    BeginCheckpoint,
    CheckpointDone,
    FinishInstall,
    LogMessage,
    PagesMessage,
    RaftMessage,
    ReplaceMachine,
    StateMessage,
)
from mynode.base.disk import Disk
from mynode.base.errors import CorruptionError, DiskFullError
from mynode.base.ids import LogIndex, Term
from mynode.base.limits import CHECKPOINT_ENTRIES, SNAPSHOT_IDLE_S
from mynode.machine.machine import Machine
from mynode.raft.effects import InstallSnapshot, LoadSnapshot, Snapshot, StoreSnapshotChunk
from mynode.raft.events import SnapshotInstalled, SnapshotLoaded, SnapshotStored
from mynode.raft.membership import encode_membership
from mynode.storage.incoming_snapshot import IncomingSnapshot, finish_install, part_checksum
from mynode.storage.pages import PageEngine
from mynode.storage.pages.checkpoint import PageCheckpoint
from mynode.storage.pages.held import HeldCheckpoint

log = structlog.get_logger(__name__)

CHECKPOINT_INTERVAL_S: Final = 30.0
"""What was applied is in a checkpoint after about this time, or after `limits.CHECKPOINT_ENTRIES`."""
_LOOK_INTERVAL_S: Final = 1.0


class CheckpointerActor:
    """Owns the page file: one thing at a time is done to it, so no checkpoint is written while a snapshot replaces it.

    A checkpoint's dirty pages are written a slice at a time in the event loop, so that nothing stalls; only the syncs
    are in a thread, as is all reading and storing of snapshots.

    A full disk is waited out, as the last checkpoint stands and the raft log has the rest; any other disk error ends
    the node.

    Args:
        engine: over `disk`; another one takes its place when a snapshot is installed.
        checkpoint_entries: a checkpoint begins after so many entries, if it is not time before.
    """

    def __init__(
        self,
        engine: PageEngine,
        disk: Disk,
        *,
        inbox: Inbox[PagesMessage],
        raft: Inbox[RaftMessage],
        log_store: Inbox[LogMessage],
        state_machine: Inbox[StateMessage],
        checkpoint_entries: int = CHECKPOINT_ENTRIES,
        run_blocking: RunBlocking = in_thread,
    ) -> None:
        self._engine = engine
        self._disk = disk
        self._inbox = inbox
        self._raft = raft
        self._log_store = log_store
        self._state_machine = state_machine
        self._checkpoint_entries = checkpoint_entries
        self._run_blocking = run_blocking
        self._incoming = IncomingSnapshot(disk)
        self._last_part_s: float | None = None
        """When a part last arrived, or the node began, which may have parts from before; None if there are none."""
        self._is_disk_full = False
        self._held: dict[LogIndex, tuple[HeldCheckpoint, float]] = {}
        """Checkpoints that are being sent, and when a part of them was last asked for."""

    async def run(self) -> None:
        last_s = self._last_part_s = trio.current_time()
        while True:
            for message in await self._next_messages():
                await self._handle(message)
            await self._release_idle()
            waiting = self._engine.applied_index - self._engine.durable_index
            if waiting >= self._checkpoint_entries or (
                waiting and trio.current_time() - last_s >= CHECKPOINT_INTERVAL_S
            ):
                await self._checkpoint()
                last_s = trio.current_time()

    async def _next_messages(self) -> list[PagesMessage]:
        """What waits; nothing when it is time to look whether a checkpoint is due."""
        with trio.move_on_after(_LOOK_INTERVAL_S):
            return await self._inbox.drain()
        return []

    async def _handle(self, message: PagesMessage) -> None:
        match message:
            case LoadSnapshot():
                await self._load(message)
            case StoreSnapshotChunk():
                await self._store(message)
            case InstallSnapshot(_, snapshot):
                installed = await self._install(snapshot)
                await self._raft.send(SnapshotInstalled(snapshot.index, snapshot.term, installed=installed))
            case _:
                assert_never(message)

    # --- checkpoints -------------------------------------------------------------------------------------------------

    async def _checkpoint(self) -> None:
        engine = self._engine
        try:
            checkpoint = await self._begin()
            if checkpoint is None:
                return
            while checkpoint.write_slice():
                await trio.lowlevel.checkpoint()
            await self._run_blocking(checkpoint.commit)
        except DiskFullError as error:
            self._warn_full("the checkpoint", error)
        else:
            self._is_disk_full = False
            log.debug("checkpoint", applied=checkpoint.applied_index, pages=checkpoint.pages_written)
            await self._raft.send(CheckpointDone(checkpoint.applied_index, engine.log_needed_after))

    async def _begin(self) -> PageCheckpoint | None:
        """None if there is nothing new. The state machine says when: it may be in the middle of a large entry."""
        begun: list[PageCheckpoint | None] = []
        done = trio.Event()
        await self._state_machine.send(BeginCheckpoint(lambda: begun.append(self._engine.begin_checkpoint()), done))
        await done.wait()
        return begun[0]

    def _warn_full(self, what: str, error: DiskFullError) -> None:
        """Once, until a checkpoint finds room: it is tried again and again."""
        if not self._is_disk_full:
            log.warning(f"the disk is full: {what} waits for room", reason=str(error))
        self._is_disk_full = True

    # --- sending -----------------------------------------------------------------------------------------------------

    async def _load(self, load: LoadSnapshot) -> None:
        held = self._hold(load.index, load.term)
        if held is None:
            await self._raft.send(SnapshotLoaded(load.generation, None, 0, is_last=False))
            return
        data, checksum = await self._run_blocking(lambda: _read_part(held, load))
        is_last = load.offset + len(data) >= held.size
        await self._raft.send(SnapshotLoaded(load.generation, data, checksum, is_last=is_last))

    def _hold(self, index: LogIndex, term: Term) -> HeldCheckpoint | None:
        """The checkpoint of that index, if it is held or the newest one."""
        held = self._held[index][0] if index in self._held else self._engine.hold_checkpoint()
        if (held.meta.applied.index, held.meta.applied.term) != (index, term):
            return None
        self._held[index] = held, trio.current_time()
        return held

    async def _release_idle(self) -> None:
        """Nobody goes on with what was last asked for or sent so long ago, by all appearances."""
        oldest_s = trio.current_time() - SNAPSHOT_IDLE_S
        if self._held:
            self._held = {index: item for index, item in self._held.items() if item[1] >= oldest_s}
        if self._last_part_s is not None and self._last_part_s < oldest_s:
            self._last_part_s = None
            await self._run_blocking(self._incoming.discard)

    # --- receiving ---------------------------------------------------------------------------------------------------

    async def _store(self, chunk: StoreSnapshotChunk) -> None:
        self._last_part_s = trio.current_time()
        try:
            size = await self._run_blocking(lambda: self._store_part(chunk, chunk.data))
        except DiskFullError as error:
            self._warn_full("a snapshot on its way", error)
            size = await self._run_blocking(lambda: self._store_part(chunk, b""))
        await self._raft.send(SnapshotStored(chunk.index, chunk.term, size))

    def _store_part(self, chunk: StoreSnapshotChunk, data: bytes) -> int:
        return self._incoming.store(
            chunk.source, chunk.index, chunk.term, offset=chunk.offset, data=data, checksum=chunk.checksum
        )

    async def _install(self, snapshot: Snapshot) -> bool:
        """See `mynode.storage.incoming_snapshot` for the steps; readers of the old state read on."""
        membership = encode_membership(snapshot.membership)
        try:
            await self._run_blocking(lambda: self._incoming.prepare_install(snapshot.index, snapshot.term, membership))
        except CorruptionError as error:
            log.warning("a snapshot arrived damaged and is not installed", reason=str(error))
            return False
        finished = trio.Event()
        await self._log_store.send(FinishInstall(lambda raft_log: finish_install(self._disk, raft_log), finished))
        await finished.wait()
        self._held.clear()
        self._engine, machine = await self._run_blocking(self._open_installed)
        replaced = trio.Event()
        await self._state_machine.send(ReplaceMachine(machine, replaced))
        await replaced.wait()
        log.info("snapshot installed", applied=snapshot.index)
        return True

    def _open_installed(self) -> tuple[PageEngine, Machine]:
        engine = PageEngine.open(self._disk)
        return engine, Machine(engine)


def _read_part(held: HeldCheckpoint, load: LoadSnapshot) -> tuple[bytes, int]:
    data = held.read(load.offset, load.max_bytes)
    return data, part_checksum(data)
