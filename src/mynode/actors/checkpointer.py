"""checkpointer: makes the applied state durable now and then, in the background."""

from __future__ import annotations

from typing import Final

import structlog
import trio

from mynode.actors.log_store import RunBlocking, in_thread
from mynode.base.errors import DiskFullError
from mynode.base.limits import CHECKPOINT_ENTRIES
from mynode.storage.pages import PageEngine

log = structlog.get_logger(__name__)

CHECKPOINT_INTERVAL_S: Final = 30.0
"""What was applied is in a checkpoint after about this time, or after `limits.CHECKPOINT_ENTRIES`."""
_LOOK_INTERVAL_S: Final = 1.0


class CheckpointerActor:
    """Writes dirty pages a slice at a time in the event loop, so that nothing stalls; only the syncs are in a thread.

    A full disk is waited out, as the last checkpoint stands and the raft log has the rest; any other disk error ends
    the node.
    """

    def __init__(self, engine: PageEngine, *, run_blocking: RunBlocking = in_thread) -> None:
        self._engine = engine
        self._run_blocking = run_blocking

    async def run(self) -> None:
        last_s = trio.current_time()
        while True:
            await trio.sleep(_LOOK_INTERVAL_S)
            waiting = self._engine.applied_index - self._engine.durable_index
            if waiting >= CHECKPOINT_ENTRIES or (waiting and trio.current_time() - last_s >= CHECKPOINT_INTERVAL_S):
                await self._checkpoint()
                last_s = trio.current_time()

    async def _checkpoint(self) -> None:
        try:
            checkpoint = self._engine.begin_checkpoint()
            if checkpoint is None:
                return
            while checkpoint.write_slice():
                await trio.lowlevel.checkpoint()
            await self._run_blocking(checkpoint.commit)
        except DiskFullError as error:
            log.warning("the disk is full: the checkpoint waits for room", reason=str(error))
        else:
            log.debug("checkpoint", applied=checkpoint.applied_index, pages=checkpoint.pages_written)
