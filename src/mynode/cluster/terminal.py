"""Where the launcher writes: its own words and the nodes' log lines, each with the name of who says it."""

from __future__ import annotations

import contextlib
from typing import TextIO

from mynode.base.ids import NodeId

_COLORS = ("36", "33", "32", "35", "34", "96", "93", "92", "95")
"""ANSI colours by node, told apart on light and dark ground."""


class Terminal:
    """Prefixes lines, in colour where `stream` is a terminal. A reader that went away is no reason to stop."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_coloured = stream.isatty()

    def say(self, text: str) -> None:
        """The launcher's own words."""
        self._write(text + "\n")

    def node_line(self, node_id: NodeId, line: str) -> None:
        """A line that node `node_id` wrote."""
        self._write(f"{self._prefix(node_id)} {line}\n")

    def _prefix(self, node_id: NodeId) -> str:
        name = f"node {node_id} │"
        if not self._is_coloured:
            return name
        return f"\x1b[{_COLORS[(node_id - 1) % len(_COLORS)]}m{name}\x1b[0m"

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
