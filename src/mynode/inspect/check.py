"""`mynode check`: is all that lies in a data directory whole, and does it fit together?"""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from mynode.base.disk import Disk
from mynode.base.errors import CorruptionError
from mynode.base.exit_codes import EXIT_DONE, EXIT_FAILED
from mynode.base.limits import KIB, MIB
from mynode.inspect.directories import data_directories
from mynode.mvcc.view import ReadView
from mynode.relation.index_check import check_indexes
from mynode.storage.data_directory import IDENTITY_FILE
from mynode.storage.incoming_snapshot import INSTALL_NAME, is_part
from mynode.storage.pages.check import CheckpointSizes, check_pages
from mynode.storage.pages.engine import PageEngine
from mynode.storage.pages.format import FILE_NAME, META_PAGES, PAGE_BYTES
from mynode.storage.raft_log.recovery import Recovered, recover


@dataclass(slots=True)
class DirectoryCheck:
    """What a check found: lines of sizes, notes of what is unusual and harmless, problems (none if all is sound).

    `is_log_whole`: the raft log is sound and begins with the first entry, so that it alone can make the tree anew.
    """

    is_log_whole: bool = False
    sizes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def run_check(path: Path) -> int:
    """Check the data directories at `path` and print what was found; the exit code."""
    is_sound = True
    for directory in data_directories(path):
        found = check_disk(directory.disk)
        identity = directory.identity
        lines = [f"{directory.path}: node {identity.node_id} of cluster {identity.cluster_id}"]
        lines += [f"  {line}" for line in found.sizes]
        lines += [f"  note: {note}" for note in found.notes]
        lines += [f"  problem: {problem}" for problem in found.problems] or ["  sound"]
        sys.stdout.write("\n".join(lines) + "\n")
        is_sound = is_sound and not found.problems
    return EXIT_DONE if is_sound else EXIT_FAILED


def check_disk(disk: Disk) -> DirectoryCheck:
    """Check the raft log, the page file, that the one goes on where the other ends, and that indexes fit their tables.

    Raises:
        DiskError: the disk failed.
    """
    result = DirectoryCheck()
    log: Recovered | None = None
    try:
        log = recover(disk)
    except CorruptionError as error:
        result.problems.append(str(error))
    else:
        result.sizes.append(_describe_log(log))
        result.is_log_whole = log is not None and log.index.first_index == 1
        if log is None and IDENTITY_FILE in disk.list():
            result.problems.append("no segment of the raft log is left")
        if log is not None and log.is_torn:
            result.notes.append("the raft log ends in a batch that a crash left incomplete; it was never acknowledged")
    result.notes += [f"{name}: a part of a snapshot that was on its way" for name in disk.list() if is_part(name)]
    if INSTALL_NAME in disk.list():
        result.notes.append(f"{INSTALL_NAME}: a snapshot that the next start installs in place of tree and log")
        return result
    if FILE_NAME not in disk.list():
        if log is not None and not result.is_log_whole:
            result.problems.append(f"{FILE_NAME} is gone, and the raft log begins with {log.index.first_index}")
        result.sizes.append("tree: no checkpoint yet")
        return result
    pages = check_pages(disk)
    result.notes += pages.notes
    result.problems += [str(problem) for problem in pages.problems]
    for sizes in pages.checkpoints:
        result.sizes += _describe_tree(sizes)
    if not pages.problems:
        with closing(PageEngine.look(disk)) as engine:
            result.problems += check_indexes(ReadView(engine.applied_index, engine.tree))
    if log is not None:
        result.problems += [problem for sizes in pages.checkpoints for problem in _gaps(sizes, log)]
    return result


def _gaps(sizes: CheckpointSizes, log: Recovered) -> list[str]:
    """Why the log cannot go on from this checkpoint; empty if it can."""
    first, last = log.index.first_index, log.index.last_index
    name = f"checkpoint {sizes.checkpoint} holds the entries up to {sizes.applied_index}"
    if sizes.applied_index + 1 < first:
        return [f"{name}, but the raft log begins with {first}"]
    if sizes.applied_index > last:
        return [f"{name}, but the raft log ends with {last}"]
    return []


def _describe_log(log: Recovered | None) -> str:
    if log is None:
        return "raft log: none"
    index, state = log.index, log.hard_state
    size = sum(segment.size_bytes for segment in index.segments)
    vote = f"voted for {state.voted_for}" if state.voted_for else "no vote"
    count = len(index.segments)
    return (
        f"raft log: entries {index.first_index:,} to {index.last_index:,}, term {state.term}, {vote}, "
        f"{_size(size)} in {count} segment{'s' if count > 1 else ''}"
    )


def _size(size_bytes: int) -> str:
    return f"{size_bytes / MIB:.1f} MiB" if size_bytes >= MIB else f"{size_bytes / KIB:.1f} KiB"


def _describe_tree(sizes: CheckpointSizes) -> list[str]:
    kinds = {
        "leaf": sizes.leaf_pages,
        "inner": sizes.inner_pages,
        "value": sizes.value_pages,
        "free": sizes.free_pages,
        "soon free": sizes.waiting_pages,
        "free list": sizes.free_list_pages,
        "meta": META_PAGES,
    }
    parts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
    return [
        f"checkpoint {sizes.checkpoint}: the tree after entry {sizes.applied_index:,}, {sizes.records:,} records "
        f"({sizes.tombstones:,} tombstones, {sizes.long_values:,} long values), {sizes.depth} levels",
        f"  {_size(sizes.pages * PAGE_BYTES)}, {sizes.pages:,} pages of {PAGE_BYTES // KIB} KiB: {parts}",
    ]
