"""`mynode repair`: what can be done about a damaged data directory, and what must not. It changes nothing itself.

A node's raft log holds its promises: whom it voted for, which entries it acknowledged. A node that forgets them may
vote twice in one term, or help to elect a leader that lacks an acknowledged write. So nothing is ever cut out of a
damaged log, and a node that lost its log never comes back under its number: the cluster removes that number, and a node
with a number that was never in use takes its place, as a learner first.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from mynode.base.errors import CorruptionError, DataDirectoryError
from mynode.base.exit_codes import EXIT_DONE, EXIT_FAILED
from mynode.inspect.check import DirectoryCheck, check_disk
from mynode.storage.data_directory import IDENTITY_FILE, DataDirectory
from mynode.storage.pages.format import FILE_NAME

_REBUILD = """\
  Only the tree is damaged; the raft log is sound and begins with the first entry, so it can make the tree anew:
    mv {directory}/{tree} {directory}/{tree}.damaged
  and start the node. This is safe: the votes and all entries are in the raft log."""

_REPLACE = """\
  Restore it from the other nodes. This is safe while a majority of the cluster runs without this node:
    1. mynode members remove {node} HOST:PORT      any running node's address; the cluster no longer counts this one
    2. mv {directory} {directory}.damaged          keep it until the new node has caught up
    3. start a new node with a number that no node of this cluster ever had, an empty data directory, and
       join = ["HOST:PORT"] in place of members
    4. mynode members add NUMBER=ITS-HOST:PORT HOST:PORT      it gets a snapshot as a learner, then it votes
  Not safe:
    - an old copy of this directory: that node forgets its votes and what it acknowledged, and two leaders of one
      term, or the loss of acknowledged writes, become possible
    - an empty directory under the old number {node}, or another node's: the same, if it were not refused
    - to delete or shorten files of the raft log: the same
  Without a majority, or with a single node, only a backup helps; `mynode dump {directory}` shows what can be read."""


def run_repair(path: Path) -> int:
    """Explain the choices for the data directory at `path`, or for all that lie directly in it; the exit code.

    Raises:
        DataDirectoryError: there is none, or one is in use.
    """
    directories = [path] if _is_data(path) else sorted(filter(_is_data, path.glob("*/")))
    if not directories:
        raise DataDirectoryError(f"there is no data directory at {path} or in it")
    is_sound = True
    for directory in directories:
        node, found = _look(directory)
        sys.stdout.write("\n".join([f"{directory}: node {node}", *_explain(directory, node, found)]) + "\n")
        is_sound = is_sound and not found.problems
    return EXIT_DONE if is_sound else EXIT_FAILED


def _is_data(path: Path) -> bool:
    return (path / IDENTITY_FILE).is_file()


def _look(path: Path) -> tuple[str, DirectoryCheck]:
    """Whose directory it is, as far as that is known, and what is wrong with it."""
    try:
        with closing(DataDirectory.look(path)) as directory:
            return str(directory.identity.node_id), check_disk(directory.disk)
    except CorruptionError as error:
        return "N", DirectoryCheck(problems=[str(error)])


def _explain(directory: Path, node: str, found: DirectoryCheck) -> list[str]:
    if not found.problems:
        return ["  sound: there is nothing to repair"]
    lines = [f"  damaged: {problem}" for problem in found.problems]
    is_tree_only = all(problem.startswith(FILE_NAME) for problem in found.problems)
    if found.is_log_whole and is_tree_only:
        lines.append(_REBUILD.format(directory=directory, tree=FILE_NAME))
    lines.append(_REPLACE.format(directory=directory, node=node))
    return lines
