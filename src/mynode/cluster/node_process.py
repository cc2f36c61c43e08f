"""The process around one node: runs it until a signal, or until the launcher that started it is gone."""

from __future__ import annotations

import gc
import os
import signal
import sys

import trio

from mynode.base.limits import SWITCH_INTERVAL_S
from mynode.config import NodeConfig
from mynode.node import run_node
from mynode.observability.logging import configure_logging


def run_node_process(config: NodeConfig, *, follow_stdin: bool) -> None:
    """Run the node; returns when SIGTERM or SIGINT stopped it cleanly, raises what ended it otherwise.

    With `follow_stdin` the end of standard input stops it too. The launcher holds the other end of that pipe, so a
    launcher killed by `kill -9` leaves no nodes behind, on any system.
    """
    configure_logging(config.log_level, config.log_format)
    collect_garbage_seldom()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    trio.run(_run_until_stopped, config, follow_stdin)


def collect_garbage_seldom() -> None:
    """Reference counts free all but cycles. A full collection walks the whole tree: with a million rows, for longer
    than an election timeout allows.

    The youngest objects are looked at often: they include each node of the tree that was copied since, with all its
    keys and records, so 20,000 new records all over a big tree, as building an index makes them, take up to a second.
    What lived through that is looked at once more soon after, 40,000 at a time: a query that keeps a million rows would
    otherwise stop the node for a quarter of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 20, 1_250)


async def _run_until_stopped(config: NodeConfig, follow_stdin: bool) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(_stop_on_signal, nursery.cancel_scope)
        if follow_stdin:
            nursery.start_soon(_stop_on_end_of_stdin, nursery.cancel_scope)
        await run_node(config)
        nursery.cancel_scope.cancel()


async def _stop_on_signal(
    scope: trio.CancelScope, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            scope.cancel()


async def _stop_on_end_of_stdin(scope: trio.CancelScope) -> None:
    async with trio.lowlevel.FdStream(os.dup(0)) as stdin:
        async for _ in stdin:
            pass
    scope.cancel()
