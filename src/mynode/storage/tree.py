"""The copy-on-write B+tree: an ordered map from byte keys to versioned records.

A `Tree` is one immutable root. `Tree.edit()` opens a `TreeEditor`, which copies a node when it first touches it and
mutates its own copy from then on, so a batch of edits copies each node at most once; `commit()` freezes what it made
into a new `Tree`. Old trees stay valid for as long as somebody holds them, and Python's reference counts free the
nodes that nobody can reach any more (after bbolt, LMDB and, for the editor, Clojure's transients).

The nodes are in nodes.py. All leaves have the same depth, and no node knows its parent or its siblings: each can become
a page, and then its parent may hold a reference to it. The newest marks answer "has anything in this range changed
since version v" without a look at untouched subtrees, which is what validates a transaction's range reads.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, final

from mynode.base.errors import InvariantViolation
from mynode.base.ids import Version
from mynode.base.invariant import invariant
from mynode.storage.nodes import (
    HAS_TOMBSTONES,
    LONG_VALUE_BYTES,
    Epoch,
    Inner,
    Leaf,
    LongValue,
    Node,
    NodeSource,
    Record,
    Ref,
    Replaced,
    absorb,
    check_node_shape,
    next_edit_number,
    version_of,
)

FAN_OUT: Final = 64
"""Most keys of a leaf, most children of an inner node."""
MIN_FILL: Final = FAN_OUT // 4
"""Fewest keys or children of a node, except the root. A quarter, so that a split by appending can leave the left node
three quarters full: keys that come in ascending order would otherwise leave every node half empty."""
MERGE_FILL: Final = FAN_OUT * 3 // 4
"""Two neighbours with at most this many together become one; a little room is left, so that the next put does not
split it again."""


class TreeReader:
    """What can be asked of a committed tree and, in the middle of an edit, of its editor alike.

    Every call may read pages, and then raise what that raises: `DiskError`, `CorruptionError`.

    Attributes:
        root: the topmost node; of a committed tree, no node below it ever changes what it holds.
        count: records, tombstones included.
    """

    __slots__ = ("_nodes", "count", "root")

    def __init__(self, root: Node, count: int, nodes: NodeSource) -> None:
        self.root = root
        self.count = count
        self._nodes = nodes

    def get(self, key: bytes) -> Record | None:
        """The record of `key`, which may be a tombstone; None if there is none."""
        node = self.root
        while isinstance(node, Inner):
            child = node.children[bisect_right(node.separators, key)]
            node = self._nodes[child] if isinstance(child, int) else child
        keys = node.keys
        slot = bisect_left(keys, key)
        if slot < len(keys) and keys[slot] == key:
            record = node.records[slot]
            if node.long is not None and key in node.long:
                return record[0], node.long[key].read()
            return record
        return None

    def first_key(self, low: bytes) -> bytes | None:
        """The first key that is not below `low`, a tombstone's too; None if there is none."""
        node = self.root
        right: tuple[Inner, int] | None = None
        while isinstance(node, Inner):
            slot = bisect_right(node.separators, low)
            if slot < len(node.separators):
                right = node, slot + 1
            node = self._child(node, slot)
        slot = bisect_left(node.keys, low)
        if slot < len(node.keys):
            return node.keys[slot]
        if right is None:
            return None
        node = self._child(*right)
        while isinstance(node, Inner):
            node = self._child(node, 0)
        return node.keys[0]

    def newest_in(self, low: bytes, high: bytes | None) -> Version:
        """The newest version of any record, tombstone or not, with low <= key < high; 0 if there is none.

        `high` None means to the end. Looks into at most two nodes of each level.
        """
        if high is not None and low >= high:
            return 0
        return self._newest_below(self.root, low, high, 0)

    def newest_exceeds(self, low: bytes, high: bytes | None, version: Version) -> bool:
        """Whether any record with low <= key < high is newer than `version`."""
        if high is not None and low >= high:
            return False
        return self._newest_below(self.root, low, high, version) > version

    def estimated_count(self, low: bytes, high: bytes) -> float:
        """About how many records, tombstones too, have low <= key < high: as if the children of a node were alike.

        Looks at one node of each level for each end; what lies in one leaf is counted.
        """
        return max(0.0, self._share_below(high) - self._share_below(low)) * self.count

    def _share_below(self, key: bytes) -> float:
        """About which part of all records has a lower key."""
        node, share, width = self.root, 0.0, 1.0
        while isinstance(node, Inner):
            slot = bisect_right(node.separators, key)
            width /= len(node.children)
            share += slot * width
            node = self._child(node, slot)
        return share + width * bisect_left(node.keys, key) / max(len(node.keys), 1)

    def _newest_below(self, node: Node, low: bytes, high: bytes | None, at_least: Version) -> Version:
        """The newest version in the range below `node`, or `at_least` if that is greater; skips older subtrees."""
        if isinstance(node, Leaf):
            first = bisect_left(node.keys, low)
            end = len(node.keys) if high is None else bisect_left(node.keys, high)
            return max(at_least, max(map(version_of, node.records[first:end]), default=0))
        first = bisect_right(node.separators, low)
        last = len(node.separators) if high is None else bisect_left(node.separators, high)
        # The children between the two edges lie wholly inside the range, so that their marks are the answer.
        newest = max(at_least, max(node.newest[first + 1 : last], default=0))
        for edge in {first, last}:
            if node.newest[edge] > newest:
                newest = self._newest_below(self._child(node, edge), low, high, newest)
        return newest

    def _child(self, parent: Inner, slot: int) -> Node:
        child = parent.children[slot]
        return self._nodes[child] if isinstance(child, int) else child


@final
class Tree(TreeReader):
    """One immutable version of the map; O(1) to hold, safe to share.

    Attributes:
        made_by: the number of the edit that made it.
        made_from: that of the tree it was made from.
        epoch: the one in which that edit began; pages that this tree may reach are kept while somebody holds the tree.
        replaced: what the tree it was made from may have in the page file and this one does without.

    Invariants (`check_invariants`): keys ascend, separators bound their subtrees, every leaf has the same depth, every
    node but the root is between `MIN_FILL` and `FAN_OUT`, every newest mark is exact, `count` is the number of records.
    """

    __slots__ = ("epoch", "made_by", "made_from", "replaced")

    def __init__(
        self,
        root: Node,
        count: int,
        nodes: NodeSource,
        *,
        made_by: int = 0,
        made_from: int = 0,
        epoch: Epoch | None = None,
        replaced: list[Replaced] | None = None,
    ) -> None:
        super().__init__(root, count, nodes)
        self.made_by = made_by
        self.made_from = made_from
        self.epoch = epoch or nodes.epoch
        self.replaced = [] if replaced is None else replaced

    @classmethod
    def empty(cls, nodes: NodeSource | None = None) -> Tree:
        return cls(Leaf(0, [], []), 0, NodeSource() if nodes is None else nodes)

    def edit(self) -> TreeEditor:
        """An editor that starts from this tree and leaves it as it is."""
        return TreeEditor(self)

    def make(self, editor: TreeEditor, made_by: int, epoch: Epoch, replaced: list[Replaced]) -> Tree:
        """The tree that `editor`, which started from this one, has made."""
        return Tree(
            editor.root,
            editor.count,
            self._nodes,
            made_by=made_by,
            made_from=self.made_by,
            epoch=epoch,
            replaced=replaced,
        )

    def scan(self, low: bytes, high: bytes | None, *, reverse: bool = False) -> Iterator[tuple[bytes, Record]]:
        """All keys with low <= key < high (None: to the end) and their records, tombstones too, in key order."""
        for keys, records in self.scan_leaves(low, high, reverse=reverse):
            yield from zip(keys, records, strict=True)

    def scan_leaves(
        self, low: bytes, high: bytes | None, *, reverse: bool = False
    ) -> Iterator[tuple[list[bytes], list[Record]]]:
        """The same as `scan`, a leaf at a time: non-empty parallel lists, themselves reversed if `reverse`.

        The lists may be the tree's own: they must not be changed.
        """
        for leaf, first, end in self._leaves(low, high, reverse=reverse):
            keys, records = leaf.keys, leaf.records
            if end - first < len(keys):
                keys, records = keys[first:end], records[first:end]
            if leaf.long is not None:
                records = leaf.records_with_long_values(keys, records)
            if keys:
                yield (keys[::-1], records[::-1]) if reverse else (keys, records)

    def tombstones(self, low: bytes, high: bytes | None) -> Iterator[tuple[bytes, Version]]:
        """All tombstones with low <= key < high, in key order. Written subtrees that hold none are not even read."""
        for leaf, first, end in self._leaves(low, high, with_tombstones=True):
            for key, (version, value) in zip(leaf.keys[first:end], leaf.records[first:end], strict=True):
                if value is None:
                    yield key, version

    def _leaves(
        self, low: bytes, high: bytes | None, *, reverse: bool = False, with_tombstones: bool = False
    ) -> Iterator[tuple[Leaf, int, int]]:
        """The leaves that may hold keys of the range, each with the slots where those begin and end."""
        if high is not None and low >= high:
            return
        nodes = self._nodes
        stack: list[Iterator[Node | Ref]] = [iter((self.root,))]
        while stack:
            node = next(stack[-1], None)
            if node is None:
                stack.pop()
                continue
            if isinstance(node, int):
                if with_tombstones and not node & HAS_TOMBSTONES:
                    continue
                node = nodes[node]
            if isinstance(node, Inner):
                first = bisect_right(node.separators, low)
                last = len(node.separators) if high is None else bisect_left(node.separators, high)
                children = node.children[first : last + 1]
                stack.append(reversed(children) if reverse else iter(children))
            else:
                keys = node.keys
                yield node, bisect_left(keys, low), len(keys) if high is None else bisect_left(keys, high)

    def check_invariants(self) -> None:
        """Raise `InvariantViolation` if an invariant of the class does not hold; looks at every node."""
        count, _ = self._check_below(self.root, None, None, is_root=True)
        invariant(count == self.count, f"the tree holds {count} records and says {self.count}")

    def _check_below(
        self, node: Node, low: bytes | None, high: bytes | None, *, is_root: bool = False
    ) -> tuple[int, int]:
        """Check everything below `node`, whose keys must be low <= key < high; returns (records, depth)."""
        fewest = (2 if isinstance(node, Inner) else 0) if is_root else MIN_FILL
        check_node_shape(node, low, high, fewest, FAN_OUT)
        if isinstance(node, Leaf):
            return len(node.keys), 0
        bounds = [low, *node.separators, high]
        total, depths = 0, set()
        for slot in range(len(node.children)):
            child = self._child(node, slot)
            invariant(node.newest[slot] == child.newest_version(), "a newest mark is exact")
            count, depth = self._check_below(child, bounds[slot], bounds[slot + 1])
            total += count
            depths.add(depth)
        invariant(len(depths) == 1, "all leaves have the same depth")
        return total, depths.pop() + 1


@final
class TreeEditor(TreeReader):
    """A batch of edits on the way to the next tree. Its readers see the edits made so far.

    Invariants: a node whose `owner` is this editor's number is reachable from this editor's root only; every other node
    may be part of a committed tree and is never mutated. The newest marks are exact after every call. What was dropped
    of the base tree is either in `_replaced` or can never have a place in the page file.
    """

    __slots__ = ("_base", "_dirty_since", "_epoch", "_owner", "_replaced")

    def __init__(self, base: Tree) -> None:
        super().__init__(base.root, base.count, base._nodes)
        self._base = base
        self._epoch = self._nodes.epoch
        self._dirty_since = self._nodes.dirty_since
        self._owner = next_edit_number()
        self._replaced: list[Replaced] = []

    def commit(self) -> Tree:
        """Freeze the edits into a tree. The editor may go on: it copies again what it touches next."""
        tree = self._base.make(self, self._owner, self._epoch, self._replaced)
        self._base = tree
        self._owner = next_edit_number()
        self._replaced = []
        return tree

    def put(self, key: bytes, version: Version, value: bytes | None) -> None:
        """Set the record of `key`; None leaves a tombstone. A key's versions never go down."""
        owner = self._owner
        long = None
        if value is not None and len(value) > LONG_VALUE_BYTES:
            long, value = LongValue(owner, value), b""
        node = self.root
        if node.owner != owner:
            node = self.root = self._copy(node)
        while isinstance(node, Inner):
            slot = bisect_right(node.separators, key)
            newest = node.newest
            if newest[slot] < version:
                newest[slot] = version
            child = node.children[slot]
            if isinstance(child, int):
                child = self._nodes[child]
            if child.owner != owner:
                child = node.children[slot] = self._copy(child)
            node = child
        keys = node.keys
        slot = bisect_left(keys, key)
        if slot < len(keys) and keys[slot] == key:
            if node.records[slot][0] > version:
                raise InvariantViolation("the versions of a key never go down")
            node.records[slot] = (version, value)
            if node.long is not None:
                self._drop_long_value(node, key)
            if long is not None:
                node.long = {**(node.long or {}), key: long}
            return
        keys.insert(slot, key)
        node.records.insert(slot, (version, value))
        if long is not None:
            node.long = {**(node.long or {}), key: long}
        self.count += 1
        if len(keys) > FAN_OUT:
            self._split_path(key)

    def remove(self, key: bytes) -> bool:
        """Take the record of `key` out altogether, no tombstone; False if there was none."""
        if self.get(key) is None:
            return False
        path, leaf = self._own_path(key)
        slot = bisect_left(leaf.keys, key)
        version = leaf.records[slot][0]
        del leaf.keys[slot]
        del leaf.records[slot]
        if leaf.long is not None:
            self._drop_long_value(leaf, key)
        self.count -= 1
        self._mend_path(path, version)
        return True

    def _copy(self, node: Node) -> Node:
        """A copy that this editor may mutate; `node` is replaced by it."""
        if node.place is not None or node.owner < self._dirty_since:
            self._drop(node)
        return node.copy(self._owner)

    def _drop(self, item: Node | LongValue) -> None:
        """Take note that the next tree does without `item`, if that stands in the page file or may soon."""
        if item.place is not None:
            self._replaced.append(item.place)
        elif item.owner < self._dirty_since:
            self._replaced.append(item)

    def _drop_long_value(self, leaf: Leaf, key: bytes) -> None:
        assert leaf.long is not None
        value = leaf.long.pop(key, None)
        if value is not None:
            self._drop(value)

    def _own_path(self, key: bytes) -> tuple[list[tuple[Inner, int]], Leaf]:
        """The way down to the leaf of `key`, each node made the editor's own: (inner, slot taken) pairs, the leaf."""
        node = self.root
        if node.owner != self._owner:
            node = self.root = self._copy(node)
        path: list[tuple[Inner, int]] = []
        while isinstance(node, Inner):
            slot = bisect_right(node.separators, key)
            path.append((node, slot))
            node = self._own_child(node, slot)
        return path, node

    def _own_child(self, parent: Inner, slot: int) -> Node:
        child = self._child(parent, slot)
        if child.owner != self._owner:
            child = parent.children[slot] = self._copy(child)
        return child

    def _split_path(self, key: bytes) -> None:
        """Split the overfull leaf of `key`, and every parent that becomes overfull by it."""
        path, leaf = self._own_path(key)
        node: Node = leaf
        at = MERGE_FILL if key == leaf.keys[-1] else FAN_OUT // 2
        while node.fill() > FAN_OUT:
            separator, right = node.split(at)
            if not path:
                marks = [node.newest_version(), right.newest_version()]
                self.root = Inner(self._owner, [separator], [node, right], marks)
                return
            parent, slot = path.pop()
            parent.separators.insert(slot, separator)
            parent.children.insert(slot + 1, right)
            parent.newest[slot] = node.newest_version()
            parent.newest.insert(slot + 1, right.newest_version())
            at = MERGE_FILL if slot + 2 == len(parent.children) else FAN_OUT // 2
            node = parent

    def _mend_path(self, path: list[tuple[Inner, int]], removed: Version) -> None:
        """After a record of version `removed` went from the leaf at the end of `path`: mend marks and fill, upwards."""
        for parent, slot in reversed(path):
            child = self._child(parent, slot)
            if parent.newest[slot] == removed:
                parent.newest[slot] = child.newest_version()
            if child.fill() < MIN_FILL:
                self._refill(parent, max(slot - 1, 0))
        root = self.root
        while isinstance(root, Inner) and len(root.children) == 1:
            root = self._child(root, 0)
        self.root = root

    def _refill(self, parent: Inner, slot: int) -> None:
        """Make one of children `slot` and `slot + 1`, or share evenly what they hold if that is too much for one."""
        left, right = self._own_child(parent, slot), self._child(parent, slot + 1)
        separator = parent.separators[slot]
        if right.owner != self._owner:
            self._drop(right)
        absorb(left, separator, right)
        if left.fill() <= MERGE_FILL:
            del parent.separators[slot], parent.children[slot + 1], parent.newest[slot + 1]
        else:
            parent.separators[slot], right = left.split(left.fill() // 2)
            parent.children[slot + 1] = right
            parent.newest[slot + 1] = right.newest_version()
        parent.newest[slot] = left.newest_version()
