"""The nodes of the B+tree, in memory.

    Inner   separators  [      k1,       k2      ]      n children, n - 1 separators
            children    [ c0       c1        c2  ]      c0 < k1 <= c1 < k2 <= c2
            newest      [ v0       v1        v2  ]      the newest version anywhere below each child
    Leaf    keys        [ a   b   c ]                   ascending
            records     [ ra  rb  rc ]                  (version, value), in parallel

A node is **dirty** until a checkpoint has written it; from then on it is **clean**: its `place` says where, it never
changes again, and its parent may hold its `Ref` instead of the node. Whoever walks the tree asks the tree's
`NodeSource` for the node of a reference; a tree wholly in memory has none.

A value longer than `LONG_VALUE_BYTES` is kept beside its leaf as a `LongValue`, so that a change of one of the leaf's
other records need not write it again, and so that it need not be in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, pairwise
from operator import itemgetter
from typing import Final, NamedTuple, Protocol, TypeAlias, final

from mynode.base.errors import InvariantViolation
from mynode.base.ids import Version
from mynode.base.invariant import invariant

Record: TypeAlias = tuple[Version, bytes | None]
"""The version that wrote it, and the value; None is a tombstone."""

Ref: TypeAlias = int
"""Names what stands in a page file: which page, and which content, so that nothing else passes for it. Never 0. Its
lowest bit, `HAS_TOMBSTONES`, says whether there are tombstones below."""
HAS_TOMBSTONES: Final = 1

LONG_VALUE_BYTES: Final = 2 * 1024
"""Longest value that stands in its leaf."""

version_of = itemgetter(0)
_edit_numbers: Iterator[int] = count(1)


def next_edit_number() -> int:
    """A number greater than that of every edit before: it names the edit that may mutate the nodes it made."""
    return next(_edit_numbers)


class Place(NamedTuple):
    """Where a node or a long value stands: its reference, and how many pages it takes."""

    ref: Ref
    pages: int


class ValueSource(Protocol):
    """Reads long values from where they were written."""

    def read_value(self, ref: Ref) -> bytes: ...


@final
class LongValue:
    """A value that stands for itself: in memory at first, then in pages of its own, shared by all versions of its leaf.

    Invariant: it has its bytes, or a place and the source that reads them from there.
    """

    __slots__ = ("_data", "_source", "length", "owner", "place")

    def __init__(self, owner: int, data: bytes) -> None:
        self.owner = owner
        self.length = len(data)
        self.place: Place | None = None
        self._data: bytes | None = data
        self._source: ValueSource | None = None

    @classmethod
    def stored(cls, place: Place, length: int, source: ValueSource) -> LongValue:
        """A value that stands in a page file."""
        value = cls(0, b"")
        value.length = length
        value.move_to(place, source)
        return value

    def move_to(self, place: Place, source: ValueSource) -> None:
        """It stands at `place` from now on. Another thread may be reading it, so the bytes go last."""
        self.place = place
        self._source = source
        self._data = None

    def read(self) -> bytes:
        """The value. Raises what reading the page file raises."""
        data = self._data
        if data is not None:
            return data
        assert self._source is not None
        assert self.place is not None
        return self._source.read_value(self.place.ref)


@final
class Leaf:
    """Keys in ascending order with their records.

    Attributes:
        owner: the number of the edit that may mutate the node in place.
        place: where it stands in the page file; None while it is dirty.
        long: the long values by key, None if there never were any; their records hold an empty value instead.
    """

    __slots__ = ("keys", "long", "owner", "place", "records")

    def __init__(
        self, owner: int, keys: list[bytes], records: list[Record], long: dict[bytes, LongValue] | None = None
    ) -> None:
        self.owner = owner
        self.keys = keys
        self.records = records
        self.long = long
        self.place: Place | None = None

    def newest_version(self) -> Version:
        return max(map(version_of, self.records), default=0)

    def fill(self) -> int:
        return len(self.keys)

    def copy(self, owner: int) -> Leaf:
        return Leaf(owner, self.keys[:], self.records[:], self.long and self.long.copy())

    def split(self, at: int) -> tuple[bytes, Leaf]:
        """Cut off everything from slot `at` on; returns the separator and the new right neighbour."""
        right = Leaf(self.owner, self.keys[at:], self.records[at:])
        del self.keys[at:]
        del self.records[at:]
        separator = right.keys[0]
        if self.long:
            right.long = {key: value for key, value in self.long.items() if key >= separator}
            self.long = {key: value for key, value in self.long.items() if key < separator}
        return separator, right

    def records_with_long_values(self, keys: list[bytes], records: list[Record]) -> list[Record]:
        """`records`, which are those of `keys`, with the long values among them read."""
        if not self.long:
            return records
        long = self.long
        return [
            (record[0], long[key].read()) if key in long else record for key, record in zip(keys, records, strict=True)
        ]


@final
class Inner:
    """Children with the keys that separate them and the newest version below each; `owner`, `place` as in a leaf."""

    __slots__ = ("children", "newest", "owner", "place", "separators")

    def __init__(self, owner: int, separators: list[bytes], children: list[Node | Ref], newest: list[Version]) -> None:
        self.owner = owner
        self.separators = separators
        self.children = children
        self.newest = newest
        self.place: Place | None = None

    def newest_version(self) -> Version:
        return max(self.newest)

    def fill(self) -> int:
        return len(self.children)

    def copy(self, owner: int) -> Inner:
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

Replaced: TypeAlias = Place | Node | LongValue
"""What a newer tree no longer reaches: a place, or something that a running checkpoint may yet give a place."""


def absorb(left: Node, separator: bytes, right: Node) -> None:
    """Give `left` all that its right neighbour holds; `separator` stood between the two in their parent."""
    if isinstance(left, Leaf) and isinstance(right, Leaf):
        left.keys += right.keys
        left.records += right.records
        if right.long:
            left.long = {**(left.long or {}), **right.long}
    elif isinstance(left, Inner) and isinstance(right, Inner):
        left.separators.append(separator)
        left.separators += right.separators
        left.children += right.children
        left.newest += right.newest
    else:
        raise InvariantViolation("neighbours have the same depth")


@final
class Epoch:
    """The time between the beginnings of two checkpoints. Every tree of that time holds it, and so shows that the pages
    it may reach are still needed."""

    __slots__ = ("__weakref__", "number")

    def __init__(self, number: int) -> None:
        self.number = number


class NodeSource(dict[Ref, Node]):
    """The clean nodes in memory by reference; one that is not there is fetched by `__missing__`, here from nowhere.

    Attributes:
        epoch: the current one.
        dirty_since: the edits of the current epoch have at least this number.
    """

    __slots__ = ("dirty_since", "epoch")

    def __init__(self) -> None:
        super().__init__()
        self.epoch = Epoch(0)
        self.dirty_since = 0

    def __missing__(self, ref: Ref) -> Node:
        raise InvariantViolation("a tree in memory holds its nodes itself")


def check_node_shape(node: Node, low: bytes | None, high: bytes | None, fewest: int, most: int) -> None:
    """Check what one node shows by itself; its keys must be low <= key < high."""
    invariant(fewest <= node.fill() <= most, f"a node holds {node.fill()}, not {fewest} to {most}")
    keys = node.keys if isinstance(node, Leaf) else node.separators
    invariant(all(a < b for a, b in pairwise(keys)), "the keys of a node ascend")
    if keys:
        invariant(low is None or low <= keys[0], "no key below the node's lower bound")
        invariant(high is None or keys[-1] < high, "no key at or above the node's upper bound")
    if isinstance(node, Leaf):
        invariant(len(node.records) == len(keys), "a record for every key")
        if node.long:
            values = dict(zip(keys, node.records, strict=True))
            invariant(all(values[key][1] == b"" for key in node.long), "a long value has a record")
    else:
        invariant(len(keys) + 1 == len(node.children) == len(node.newest), "separators stand between children")
