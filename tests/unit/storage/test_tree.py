from __future__ import annotations

import random

import pytest

from mynode.base.errors import InvariantViolation
from mynode.storage.nodes import LONG_VALUE_BYTES, Inner, Leaf, Node, Ref
from mynode.storage.tree import FAN_OUT, MERGE_FILL, Tree


def key(number: int) -> bytes:
    return b"%06d" % number


def tree_of(numbers: list[int]) -> Tree:
    """Number n has version n + 1."""
    editor = Tree.empty().edit()
    for number in numbers:
        editor.put(key(number), number + 1, b"v%d" % number)
    return editor.commit()


def nodes(node: Node | Ref) -> list[Node]:
    """All nodes of a tree in memory."""
    assert not isinstance(node, int)
    return [node, *(below for child in node.children for below in nodes(child))] if isinstance(node, Inner) else [node]


def test_an_empty_tree_holds_nothing() -> None:
    tree = Tree.empty()
    assert tree.count == 0
    assert tree.get(b"a") is None
    assert list(tree.scan(b"", None)) == []
    assert tree.newest_in(b"", None) == 0
    assert not tree.newest_exceeds(b"", None, 0)
    tree.check_invariants()


def test_get_finds_values_and_tombstones() -> None:
    editor = Tree.empty().edit()
    editor.put(b"a", 1, b"one")
    editor.put(b"b", 2, None)
    tree = editor.commit()
    assert tree.get(b"a") == (1, b"one")
    assert tree.get(b"b") == (2, None)
    assert tree.get(b"") is None
    assert tree.get(b"c") is None
    assert tree.count == 2


def test_a_put_replaces_the_record() -> None:
    editor = tree_of([1]).edit()
    editor.put(key(1), 9, b"new")
    tree = editor.commit()
    assert tree.get(key(1)) == (9, b"new")
    assert tree.count == 1


def test_the_versions_of_a_key_never_go_down() -> None:
    editor = tree_of([5]).edit()
    with pytest.raises(InvariantViolation):
        editor.put(key(5), 5, b"older")


@pytest.mark.parametrize("order", ["ascending", "descending", "random"])
def test_many_records_in_any_order_make_a_sound_tree(order: str) -> None:
    numbers = list(range(10_000))
    if order == "descending":
        numbers.reverse()
    elif order == "random":
        random.Random(1).shuffle(numbers)
    tree = tree_of(numbers)
    tree.check_invariants()
    assert [found for found, _ in tree.scan(b"", None)] == [key(number) for number in range(10_000)]
    assert all(tree.get(key(number)) == (number + 1, b"v%d" % number) for number in numbers)


def test_ascending_puts_leave_leaves_three_quarters_full() -> None:
    leaves = [node for node in nodes(tree_of(list(range(5_000))).root) if isinstance(node, Leaf)]
    assert all(leaf.fill() == MERGE_FILL for leaf in leaves[:-1])


@pytest.mark.parametrize("order", ["ascending", "descending", "random"])
def test_removing_everything_shrinks_the_tree_back_to_a_leaf(order: str) -> None:
    tree = tree_of(list(range(6_000)))
    numbers = list(range(6_000))
    if order == "descending":
        numbers.reverse()
    elif order == "random":
        random.Random(2).shuffle(numbers)
    for start in range(0, 6_000, 500):
        editor = tree.edit()
        for number in numbers[start : start + 500]:
            assert editor.remove(key(number))
        tree = editor.commit()
        tree.check_invariants()
    assert tree.count == 0
    assert isinstance(tree.root, Leaf)


def test_removing_what_is_not_there_copies_nothing() -> None:
    tree = tree_of([1, 2, 3])
    editor = tree.edit()
    assert not editor.remove(key(9))
    assert editor.commit().root is tree.root


def test_scan_bounds_are_low_inclusive_and_high_exclusive() -> None:
    tree = tree_of(list(range(1_000)))
    for low, high in [(0, 1_000), (10, 20), (63, 65), (500, 500), (700, 600), (990, 2_000)]:
        expected = [key(number) for number in range(low, min(high, 1_000))]
        assert [found for found, _ in tree.scan(key(low), key(high))] == expected
        assert [found for found, _ in tree.scan(key(low), key(high), reverse=True)] == expected[::-1]
    assert [found for found, _ in tree.scan(key(995), None)] == [key(number) for number in range(995, 1_000)]


def test_a_scan_goes_on_over_its_own_root_while_others_edit() -> None:
    tree = tree_of(list(range(1_000)))
    walk = tree.scan(b"", None)
    first = next(walk)
    editor = tree.edit()
    for number in range(1_000):
        editor.remove(key(number))
    assert editor.commit().count == 0
    assert [first, *walk] == [(key(number), (number + 1, b"v%d" % number)) for number in range(1_000)]


def test_newest_marks_answer_ranges() -> None:
    tree = tree_of(list(range(3_000)))
    assert tree.newest_in(b"", None) == 3_000
    assert tree.newest_in(key(10), key(2_000)) == 2_000
    assert tree.newest_in(key(10), key(10)) == 0
    assert tree.newest_exceeds(key(10), key(2_000), 1_999)
    assert not tree.newest_exceeds(key(10), key(2_000), 2_000)
    assert tree.newest_exceeds(key(10), None, 2_999)
    assert not tree.newest_exceeds(key(20), key(10), 0)


def test_removing_the_newest_record_lowers_the_marks() -> None:
    editor = tree_of(list(range(3_000))).edit()
    editor.put(key(7), 9_000, None)
    assert editor.newest_in(b"", None) == 9_000
    editor.remove(key(7))
    assert editor.newest_in(b"", None) == 3_000
    editor.commit().check_invariants()


def test_an_untouched_subtree_is_not_looked_into() -> None:
    tree = tree_of(list(range(5_000)))
    root = tree.root
    assert isinstance(root, Inner)
    root.children[1:-1] = [Leaf(0, [], [])] * (len(root.children) - 2)  # nothing to be found below
    assert tree.newest_in(key(0), None) == 5_000
    assert tree.newest_in(key(0), key(4_000)) > 3_000


def test_an_editor_copies_a_node_once_and_leaves_old_trees_alone() -> None:
    before = tree_of(list(range(FAN_OUT)))
    editor = before.edit()
    editor.put(key(0), 100, b"x")
    root = editor.root
    editor.put(key(1), 100, b"x")
    assert editor.root is root
    between = editor.commit()
    editor.put(key(2), 101, b"x")
    after = editor.commit()
    assert before.get(key(0)) == (1, b"v0")
    assert between.get(key(2)) == (3, b"v2")
    assert after.get(key(2)) == (101, b"x")
    assert len({id(tree.root) for tree in (before, between, after)}) == 3


def test_an_editor_reads_its_own_edits() -> None:
    editor = Tree.empty().edit()
    editor.put(b"a", 3, b"x")
    assert editor.get(b"a") == (3, b"x")
    assert editor.newest_exceeds(b"a", b"b", 2)
    assert editor.count == 1


def test_check_invariants_finds_damage() -> None:
    tree = tree_of(list(range(1_000)))
    root = tree.root
    assert isinstance(root, Inner)
    root.newest[0] += 1
    with pytest.raises(InvariantViolation):
        tree.check_invariants()


def test_long_values_stand_beside_their_leaf_and_are_read_as_any_other() -> None:
    long, longer = b"l" * (LONG_VALUE_BYTES + 1), b"m" * 100_000
    editor = tree_of(list(range(200))).edit()
    for number in range(0, 200, 3):
        editor.put(key(number), 1_000 + number, long)
    before = editor.commit()
    for number in range(0, 200, 6):
        editor.put(key(number), 2_000, longer)
    editor.put(key(3), 2_000, b"short")
    editor.put(key(9), 2_000, None)
    editor.remove(key(15))
    after = editor.commit()
    for tree in (before, after):
        tree.check_invariants()
    assert [record for _, record in before.scan(b"", None) if record[1] == long] == [
        (1_000 + number, long) for number in range(0, 200, 3)
    ]
    assert [before.get(key(number)) for number in (0, 3, 9)] == [(1_000, long), (1_003, long), (1_009, long)]
    found = dict(after.scan(b"", None))
    assert [found[key(number)][1] for number in (0, 3, 6, 9, 21)] == [longer, b"short", longer, None, long]
    assert key(15) not in found
    assert dict(after.scan(b"", None, reverse=True)) == found == {key: after.get(key) for key in found}
    assert list(after.tombstones(b"", None)) == [(key(9), 2_000)]


def test_long_values_move_with_their_keys_when_leaves_split_and_merge() -> None:
    long = b"l" * (LONG_VALUE_BYTES + 1)
    editor = Tree.empty().edit()
    for number in range(300):
        editor.put(key(number), number + 1, long if number % 2 else b"")
    for number in range(0, 300, 3):
        editor.remove(key(number))
    tree = editor.commit()
    tree.check_invariants()
    assert [(found, len(record[1] or b"")) for found, record in tree.scan(b"", None)] == [
        (key(number), len(long) if number % 2 else 0) for number in range(300) if number % 3
    ]
    assert sum(len(node.long or ()) for node in nodes(tree.root) if isinstance(node, Leaf)) == 100
