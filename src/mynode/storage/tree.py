"""The copy-on-write B+tree: an ordered map from byte keys to versioned records.

A `Tree` is one immutable root. `Tree.edit()` opens a `TreeEditor`, which copies a node when it first touches it and
mutates its own copy from then on, so a batch of edits copies each node at most once; `commit()` freezes what it made
into a new `Tree`. Old trees stay valid for as long as somebody holds them, and Python's reference counts free the
nodes that nobody can reach any more (after bbolt, LMDB and, for the editor, Clojure's transients).

    Inner   separators  [      k1,       k2      ]      n children, n - 1 separators
            children    [ c0       c1        c2  ]      c0 < k1 <= c1 < k2 <= c2
            newest      [ v0       v1        v2  ]      the newest version anywhere below each child
    Leaf    keys        [ a   b   c ]                   ascending
            records     [ ra  rb  rc ]                  (version, value), in parallel

All leaves have the same depth, and no node knows its parent or its siblings: each can become a page. The newest
marks answer "has anything in this range changed since version v" without a look at untouched subtrees, which is what
validates a transaction's range reads.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from operator import itemgetter
from typing import Final, TypeAlias, final

from mynode.base.errors import InvariantViolation
from mynode.base.ids import Version
from mynode.base.invariant import invariant

Record: TypeAlias = tuple[Version, bytes | None]
"""The version that wrote it, and the value; None is a tombstone."""

FAN_OUT: Final = 64
"""Most keys of a leaf, most children of an inner node."""
MIN_FILL: Final = FAN_OUT // 4
"""Fewest keys or children of a node, except the root. A quarter, so that a split by appending can leave the left node
three quarters full: keys that come in ascending order would otherwise leave every node half empty."""
MERGE_FILL: Final = FAN_OUT * 3 // 4
"""Two neighbours with at most this many together become one; a little room is left, so that the next put does not
split it again."""

_version_of = itemgetter(0)


@final
class Leaf:
    """Keys in ascending order with their records. `owner` is the edit that may mutate the node in place."""

    __slots__ = ("keys", "owner", "records")

    def __init__(self, owner: object, keys: list[bytes], records: list[Record]) -> None:
        self.owner = owner
        self.keys = keys
        self.records = records

    def newest_version(self) -> Version:
        return max(map(_version_of, self.records), default=0)

    def fill(self) -> int:
        return len(self.keys)

    def copy(self, owner: object) -> Leaf:
        return Leaf(owner, self.keys[:], self.records[:])

    def split(self, at: int) -> tuple[bytes, Leaf]:
        """Cut off everything from slot `at` on; returns the separator and the new right neighbour."""
        right = Leaf(self.owner, self.keys[at:], self.records[at:])
        del self.keys[at:]
        del self.records[at:]
        return right.keys[0], right


@final
class Inner:
    """Children with the keys that separate them and the newest version below each."""

    __slots__ = ("children", "newest", "owner", "separators")

    def __init__(self, owner: object, separators: list[bytes], children: list[Node], newest: list[Version]) -> None:
        self.owner = owner
        self.separators = separators
        self.children = children
        self.newest = newest

    def newest_version(self) -> Version:
        return max(self.newest)

    def fill(self) -> int:
        return len(self.children)

    def copy(self, owner: object) -> Inner:
        return Inner(owner, self.separators[:], self.children[:], self.newest[:])

    def split(self, at: int) -> tuple[bytes, Inner]:
        """Cut off everything from child `at` on; returns the separator and the new right neighbour."""
        separator = self.separators[at - 1]
        right = Inner(self.owner, self.separators[at:], self.children[at:], self.newest[at:])
        del self.separators[at - 1 :]
        del self.children[at:]
        del self.newest[at:]
        return separator, right


Node: TypeAlias = Leaf | Inner


def _absorb(left: Node, separator: bytes, right: Node) -> None:
    """Give `left` all that its right neighbour holds; `separator` stood between the two in their parent."""
    if isinstance(left, Leaf) and isinstance(right, Leaf):
        left.keys += right.keys
        left.records += right.records
    elif isinstance(left, Inner) and isinstance(right, Inner):
        left.separators.append(separator)
        left.separators += right.separators
        left.children += right.children
        left.newest += right.newest
    else:
        raise InvariantViolation("neighbours have the same depth")


class TreeReader:
    """What can be asked of a committed tree and, in the middle of an edit, of its editor alike.

    Attributes:
        root: the topmost node; of a committed tree, no node below it ever changes.
        count: records, tombstones included.
    """

    __slots__ = ("count", "root")

    def __init__(self, root: Node, count: int) -> None:
        self.root = root
        self.count = count

    def get(self, key: bytes) -> Record | None:
        """The record of `key`, which may be a tombstone; None if there is none."""
        node = self.root
        while isinstance(node, Inner):
            node = node.children[bisect_right(node.separators, key)]
        keys = node.keys
        slot = bisect_left(keys, key)
        if slot < len(keys) and keys[slot] == key:
            return node.records[slot]
        return None

    def newest_in(self, low: bytes, high: bytes | None) -> Version:
        """The newest version of any record, tombstone or not, with low <= key < high; 0 if there is none.

        `high` None means to the end. Looks into at most two nodes of each level.
        """
        if high is not None and low >= high:
            return 0
        return _newest_in(self.root, low, high, 0)

    def newest_exceeds(self, low: bytes, high: bytes | None, version: Version) -> bool:
        """Whether any record with low <= key < high is newer than `version`."""
        if high is not None and low >= high:
            return False
        return _newest_in(self.root, low, high, version) > version


def _newest_in(node: Node, low: bytes, high: bytes | None, at_least: Version) -> Version:
    """The newest version in the range below `node`, or `at_least` if that is greater: older subtrees are skipped."""
    if isinstance(node, Leaf):
        first = bisect_left(node.keys, low)
        end = len(node.keys) if high is None else bisect_left(node.keys, high)
        return max(at_least, max(map(_version_of, node.records[first:end]), default=0))
    first = bisect_right(node.separators, low)
    last = len(node.separators) if high is None else bisect_left(node.separators, high)
    # The children between the two edges lie wholly inside the range, so that their marks are the answer.
    newest = max(at_least, max(node.newest[first + 1 : last], default=0))
    for edge in {first, last}:
        if node.newest[edge] > newest:
            newest = _newest_in(node.children[edge], low, high, newest)
    return newest


@final
class Tree(TreeReader):
    """One immutable version of the map; O(1) to hold, safe to share.

    Invariants (`check_invariants`): keys ascend, separators bound their subtrees, every leaf has the same depth, every
    node but the root is between `MIN_FILL` and `FAN_OUT`, every newest mark is exact, `count` is the number of records.
    """

    __slots__ = ()

    @classmethod
    def empty(cls) -> Tree:
        return cls(Leaf(None, [], []), 0)

    def edit(self) -> TreeEditor:
        """An editor that starts from this tree and leaves it as it is."""
        return TreeEditor(self.root, self.count)

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
        if high is not None and low >= high:
            return
        stack: list[Iterator[Node]] = [iter((self.root,))]
        while stack:
            node = next(stack[-1], None)
            if node is None:
                stack.pop()
            elif isinstance(node, Inner):
                first = bisect_right(node.separators, low)
                last = len(node.separators) if high is None else bisect_left(node.separators, high)
                children = node.children[first : last + 1]
                stack.append(reversed(children) if reverse else iter(children))
            else:
                keys, records = node.keys, node.records
                first = bisect_left(keys, low)
                end = len(keys) if high is None else bisect_left(keys, high)
                if end - first < len(keys):
                    keys, records = keys[first:end], records[first:end]
                if keys:
                    yield (keys[::-1], records[::-1]) if reverse else (keys, records)

    def check_invariants(self) -> None:
        """Raise `InvariantViolation` if an invariant of the class does not hold; looks at every node."""
        count, _ = _check_node(self.root, None, None, is_root=True)
        invariant(count == self.count, f"the tree holds {count} records and says {self.count}")


@final
class TreeEditor(TreeReader):
    """A batch of edits on the way to the next tree. Its readers see the edits made so far.

    Invariants: a node whose `owner` is this editor's token is reachable from this editor's root only; every other node
    may be part of a committed tree and is never mutated. The newest marks are exact after every call.
    """

    __slots__ = ("_owner",)

    def __init__(self, root: Node, count: int) -> None:
        super().__init__(root, count)
        self._owner = object()

    def commit(self) -> Tree:
        """Freeze the edits into a tree. The editor may go on: it copies again what it touches next."""
        self._owner = object()
        return Tree(self.root, self.count)

    def put(self, key: bytes, version: Version, value: bytes | None) -> None:
        """Set the record of `key`; None leaves a tombstone. A key's versions never go down."""
        owner = self._owner
        node = self.root
        if node.owner is not owner:
            node = self.root = node.copy(owner)
        while isinstance(node, Inner):
            slot = bisect_right(node.separators, key)
            newest = node.newest
            if newest[slot] < version:
                newest[slot] = version
            child = node.children[slot]
            if child.owner is not owner:
                child = node.children[slot] = child.copy(owner)
            node = child
        keys = node.keys
        slot = bisect_left(keys, key)
        if slot < len(keys) and keys[slot] == key:
            if node.records[slot][0] > version:
                raise InvariantViolation("the versions of a key never go down")
            node.records[slot] = (version, value)
            return
        keys.insert(slot, key)
        node.records.insert(slot, (version, value))
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
        self.count -= 1
        self._mend_path(path, version)
        return True

    def _own_path(self, key: bytes) -> tuple[list[tuple[Inner, int]], Leaf]:
        """The way down to the leaf of `key`, each node made the editor's own: (inner, slot taken) pairs, the leaf."""
        owner = self._owner
        node = self.root
        if node.owner is not owner:
            node = self.root = node.copy(owner)
        path: list[tuple[Inner, int]] = []
        while isinstance(node, Inner):
            slot = bisect_right(node.separators, key)
            path.append((node, slot))
            node = self._own_child(node, slot)
        return path, node

    def _own_child(self, parent: Inner, slot: int) -> Node:
        child = parent.children[slot]
        if child.owner is not self._owner:
            child = parent.children[slot] = child.copy(self._owner)
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
            child = parent.children[slot]
            if parent.newest[slot] == removed:
                parent.newest[slot] = child.newest_version()
            if child.fill() < MIN_FILL:
                self._refill(parent, max(slot - 1, 0))
        root = self.root
        while isinstance(root, Inner) and len(root.children) == 1:
            root = root.children[0]
        self.root = root

    def _refill(self, parent: Inner, slot: int) -> None:
        """Make one of children `slot` and `slot + 1`, or share evenly what they hold if that is too much for one."""
        left, right = self._own_child(parent, slot), parent.children[slot + 1]
        separator = parent.separators[slot]
        _absorb(left, separator, right)
        if left.fill() <= MERGE_FILL:
            del parent.separators[slot], parent.children[slot + 1], parent.newest[slot + 1]
        else:
            parent.separators[slot], right = left.split(left.fill() // 2)
            parent.children[slot + 1] = right
            parent.newest[slot + 1] = right.newest_version()
        parent.newest[slot] = left.newest_version()


def _check_node(node: Node, low: bytes | None, high: bytes | None, *, is_root: bool = False) -> tuple[int, int]:
    """Check everything below `node`, whose keys must be low <= key < high; returns (records, depth)."""
    fewest = (2 if isinstance(node, Inner) else 0) if is_root else MIN_FILL
    invariant(fewest <= node.fill() <= FAN_OUT, f"a node holds {node.fill()}, not {fewest} to {FAN_OUT}")
    keys = node.keys if isinstance(node, Leaf) else node.separators
    invariant(all(a < b for a, b in pairwise(keys)), "the keys of a node ascend")
    if keys:
        invariant(low is None or low <= keys[0], "no key below the node's lower bound")
        invariant(high is None or keys[-1] < high, "no key at or above the node's upper bound")
    if isinstance(node, Leaf):
        invariant(len(node.records) == len(keys), "a record for every key")
        return len(keys), 0
    invariant(len(keys) + 1 == len(node.children) == len(node.newest), "separators stand between children")
    bounds = [low, *keys, high]
    total, depths = 0, set()
    for slot, child in enumerate(node.children):
        invariant(node.newest[slot] == child.newest_version(), "a newest mark is exact")
        count, depth = _check_node(child, bounds[slot], bounds[slot + 1])
        total += count
        depths.add(depth)
    invariant(len(depths) == 1, "all leaves have the same depth")
    return total, depths.pop() + 1
