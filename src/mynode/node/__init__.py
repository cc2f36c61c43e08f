"""The composition root: opens a node's files, wires its actors, and runs them until it is told to stop."""

from mynode.node.files import NodeFiles, open_files
from mynode.node.node import STOP_TIMEOUT_S, Node, Surroundings, Timing
from mynode.node.running import run_node

__all__ = ["STOP_TIMEOUT_S", "Node", "NodeFiles", "Surroundings", "Timing", "open_files", "run_node"]
