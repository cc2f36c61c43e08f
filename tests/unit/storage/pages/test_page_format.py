from __future__ import annotations

import re

import pytest

from mynode.base.disk_memory import MemoryDisk
from mynode.base.errors import CorruptionError
from mynode.storage.engine import Applied
from mynode.storage.nodes import HAS_TOMBSTONES, Inner, Leaf, Place
from mynode.storage.pages.format import (
    HEADER_BYTES,
    PAGE_BYTES,
    Kind,
    Meta,
    decode_free_list,
    decode_meta,
    decode_node,
    decode_run,
    encode_free_list,
    encode_inner,
    encode_leaf,
    encode_meta,
    encode_run,
    extent_of,
    free_list_pages,
    page_of,
    pages_of,
)
from mynode.storage.pages.page_file import PageFile

SOURCE = PageFile(MemoryDisk().create("unused"))


@pytest.mark.parametrize("length", [0, 1, PAGE_BYTES - HEADER_BYTES, PAGE_BYTES - HEADER_BYTES + 1, 100_000])
@pytest.mark.parametrize("tombstones", [False, True])
def test_a_run_is_whole_pages_and_its_place_says_which(length: int, tombstones: bool) -> None:
    content = bytes(range(256)) * (length // 256) + bytes(length % 256)
    data, place = encode_run(77, Kind.LEAF, content, tombstones=tombstones)
    assert len(data) == PAGE_BYTES * place.pages == PAGE_BYTES * pages_of(length)
    assert (page_of(place.ref), extent_of(place)) == (77, (77, place.pages))
    assert bool(place.ref & HAS_TOMBSTONES) is tombstones
    assert place.ref < 1 << 64
    assert decode_run(data, 77, place.ref) == (Kind.LEAF, content)


def test_a_run_counts_in_its_own_place_only() -> None:
    data, place = encode_run(77, Kind.LEAF, b"content")
    with pytest.raises(CorruptionError, match=re.escape(f"tree.pages at byte {78 * PAGE_BYTES}: the page's checksum")):
        decode_run(data, 78)
    other, _ = encode_run(77, Kind.LEAF, b"newer content")
    with pytest.raises(CorruptionError, match="a write was lost"):
        decode_run(other, 77, place.ref)


def test_nodes_come_back_as_they_were() -> None:
    leaf = Leaf(9, [b"a", b"b"], [(1, b"x"), (1 << 60, None)])
    content, tombstones = encode_leaf(leaf)
    assert tombstones
    again = decode_node(Kind.LEAF, content, Place(7, 1), SOURCE)
    assert isinstance(again, Leaf)
    assert (again.keys, again.records, again.long, again.place) == (leaf.keys, leaf.records, None, Place(7, 1))
    inner = Inner(9, [b"k"], [1 << 63 | 4, 6], [3, 1 << 60])
    content, tombstones = encode_inner(inner)
    assert not tombstones
    back = decode_node(Kind.INNER, content, Place(7, 1), SOURCE)
    assert isinstance(back, Inner)
    assert (back.separators, back.children, back.newest) == (inner.separators, inner.children, inner.newest)
    with pytest.raises(CorruptionError, match="a page of kind 'value' cannot stand here"):
        decode_node(Kind.VALUE, content, Place(7, 1), SOURCE)


def test_a_meta_stands_in_the_page_of_its_number() -> None:
    meta = Meta(
        checkpoint=7, applied=Applied(900, 4, b"members"), root=1 << 50, count=3, page_count=1 << 30, free_list=8
    )
    data = encode_meta(meta)
    assert decode_meta(data, 1) == meta
    assert len(data) == PAGE_BYTES
    with pytest.raises(CorruptionError):
        decode_meta(data, 0)
    with pytest.raises(CorruptionError, match="the file ends before this page"):
        decode_meta(b"", 0)


@pytest.mark.parametrize("extents", [0, 1, 402, 403, 5_000])
def test_a_free_list_takes_the_pages_that_were_reckoned(extents: int) -> None:
    for scale in (1, 1 << 20):
        free = [(scale * number, 1) for number in range(1, extents + 1)]
        pages = free_list_pages(len(free) + 1)
        content = encode_free_list(free, [(5, 700)], pages)
        assert pages_of(len(content)) == pages
        assert decode_free_list(content, 3) == (free, [(5, 700)])
