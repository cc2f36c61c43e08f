"""Walks of a syntax tree that do not ask what its nodes are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def parts(node: object) -> Sequence[object]:
    """What a node, or a tuple of nodes, is made of: nodes, tuples, texts and so on. Of those that are none: nothing."""
    if isinstance(node, tuple):
        return node
    return [getattr(node, name) for name in getattr(type(node), "__slots__", ())]


def walk(tree: object) -> Iterator[object]:
    """The node and all below it, in no order that means anything."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += parts(node)
