"""The page file's format, and its codec: nodes, values and metas in, bytes out, no I/O.

The file `tree.pages` is a row of pages of `PAGE_BYTES`, numbered from 0. What is stored is a **run**: a page and, if it
is longer than one, the overflow pages that follow it. Integers are little-endian, content is msgpack.

| run | bytes | |
|---|---|---|
| crc | 4 | CRC32C of the rest, padding excepted, starting from the page number: a run in another place does not pass |
| length | 4 | bytes of the content |
| kind | 1 | 1 meta, 2 leaf, 3 inner, 4 value, 5 free list |
| content | length | see below |
| padding | | zeros up to the end of the page |

| kind | content |
|---|---|
| leaf | [keys, records: [version, value or nil for a tombstone] each, long values: [key, ref, length] each] |
| inner | [separators, refs of the children, newest version below each child] |
| value | the bytes of one value longer than `nodes.LONG_VALUE_BYTES`; its record in the leaf holds an empty one |
| free list | [free now, free after the next checkpoint], each a row of page, pages, page, pages ...; then zeros |
| meta | [format, page bytes, checkpoint, applied index, its term, configuration as of it, root ref, records, |
|      | pages in use, free list ref]; 0 is no ref; an empty configuration is the one that the cluster began with |

A **ref** is how one run names another, an integer of 64 bits:

| bits | |
|---|---|
| 63 to 32 | crc of the run: what stands there is what was meant, not an older content of the same page |
| 31 to 1 | number of its first page |
| 0 | the run is a node that has tombstones below it |

So the meta's checksum covers the whole tree. Pages 0 and 1 hold a meta each; checkpoint n writes page n modulo 2, in
one write. The other one stays, with all that it reaches, so that a torn write of the newer meta harms nothing:

1. write what is dirty, children before parents, and the free list, all to pages that neither meta reaches
2. sync
3. write the meta that is not the newest
4. sync

A start takes the valid meta with the higher number. Should the newer one be damaged later, the older one still holds a
whole tree, and the raft log, kept from there on, has the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import google_crc32c
import msgpack

from mynode.base.errors import CorruptionError
from mynode.base.invariant import invariant
from mynode.storage.engine import NOTHING_APPLIED, Applied
from mynode.storage.nodes import HAS_TOMBSTONES, Inner, Leaf, LongValue, Node, Place, Ref, ValueSource

FORMAT_VERSION: Final = 2
FILE_NAME: Final = "tree.pages"
PAGE_BYTES: Final = 4 * 1024
META_PAGES: Final = 2

_CRC: Final = struct.Struct("<I")
_REST_OF_HEADER: Final = struct.Struct("<IB")
_HEADER: Final = struct.Struct("<IIB")
HEADER_BYTES: Final = _HEADER.size

_PAGE_BITS: Final = 31
MAX_PAGES: Final = 1 << _PAGE_BITS

Extent = tuple[int, int]
"""Some pages in a row: the first one's number, and how many."""


class Kind(IntEnum):
    """What a run holds."""

    META = 1
    LEAF = 2
    INNER = 3
    VALUE = 4
    FREE_LIST = 5


@dataclass(frozen=True, slots=True)
class Meta:
    """One checkpoint: `page_count` is how many pages are in use or free, the metas included; a `Ref` of 0 is none."""

    checkpoint: int
    applied: Applied
    root: Ref
    count: int
    page_count: int
    free_list: Ref


EMPTY: Final = Meta(0, NOTHING_APPLIED, 0, 0, META_PAGES, 0)
"""The meta of a file without any checkpoint."""


# --- runs and refs --------------------------------------------------------------------------------------------------


def pages_of(content_bytes: int) -> int:
    """How many pages a run with so long a content takes."""
    return -(-(HEADER_BYTES + content_bytes) // PAGE_BYTES)


def encode_run(page: int, kind: Kind, content: bytes, *, tombstones: bool = False) -> tuple[bytes, Place]:
    """The bytes of whole pages, and the place they have when they stand at `page`."""
    rest = _REST_OF_HEADER.pack(len(content), kind) + content
    crc: int = google_crc32c.extend(page, rest)
    pages = pages_of(len(content))
    data = (_CRC.pack(crc) + rest).ljust(pages * PAGE_BYTES, b"\0")
    return data, Place(crc << (_PAGE_BITS + 1) | page << 1 | tombstones, pages)


def page_of(ref: Ref) -> int:
    return ref >> 1 & MAX_PAGES - 1


def extent_of(place: Place) -> Extent:
    return page_of(place.ref), place.pages


def place_of(extent: Extent) -> Place:
    """A place there of which nobody knows what it holds."""
    return Place(extent[0] << 1, extent[1])


def run_pages(head: bytes, page: int) -> int:
    """How many pages the run takes that begins with `head`, one page; it is not checked yet.

    Raises:
        CorruptionError: the page is not whole, or cannot be the beginning of a run.
    """
    if len(head) < HEADER_BYTES:
        raise _damaged(page, "the file ends before this page")
    return pages_of(_HEADER.unpack_from(head)[1])


def decode_run(data: bytes, page: int, ref: Ref | None = None) -> tuple[Kind, bytes]:
    """The run at `page`, whose bytes are `data`: its kind and content.

    Args:
        ref: how it is referred to, None if it is not (a meta).

    Raises:
        CorruptionError: the checksum is wrong, or it is not what `ref` means.
    """
    if len(data) < HEADER_BYTES:
        raise _damaged(page, "the file ends before this page")
    crc, length, kind = _HEADER.unpack_from(data)
    end = HEADER_BYTES + length
    if end > len(data):
        raise _damaged(page, "the page is longer than the file, or its header is damaged")
    if google_crc32c.extend(page, data[_CRC.size : end]) != crc:
        raise _damaged(page, "the page's checksum is wrong")
    if ref is not None and ref >> (_PAGE_BITS + 1) != crc:
        raise _damaged(page, "the page holds something else than what is referred to; a write was lost")
    if kind not in _KINDS:
        raise _damaged(page, f"{kind} is no kind of page")
    return _KINDS[kind], data[HEADER_BYTES:end]


_KINDS: Final = {int(kind): kind for kind in Kind}


def _damaged(page: int, message: str) -> CorruptionError:
    return CorruptionError(message, file=FILE_NAME, offset=page * PAGE_BYTES)


def wrong_kind(page: int, kind: Kind) -> CorruptionError:
    return _damaged(page, f"a page of kind '{kind.name.lower()}' cannot stand here")


def _unpack(content: bytes, page: int) -> Any:
    try:
        unpacker = msgpack.Unpacker(use_list=False, max_buffer_size=len(content))
        unpacker.feed(content)
        return unpacker.unpack()
    except (ValueError, msgpack.UnpackException) as error:
        raise _damaged(page, "the page's content is not what this version writes") from error


# --- nodes ----------------------------------------------------------------------------------------------------------


def written(item: LongValue | Node) -> Place:
    """Where it stands; it must have been written."""
    invariant(item.place is not None, "children and long values are written before what refers to them")
    assert item.place is not None
    return item.place


def encode_leaf(leaf: Leaf) -> tuple[bytes, bool]:
    """Its content, and whether it has tombstones."""
    long = [(key, written(value).ref, value.length) for key, value in sorted((leaf.long or {}).items())]
    content: bytes = msgpack.packb((leaf.keys, leaf.records, long))
    return content, any(value is None for _, value in leaf.records)


def encode_inner(inner: Inner) -> tuple[bytes, bool]:
    """Its content, and whether there are tombstones below it. All its children are references."""
    refs = [child for child in inner.children if isinstance(child, int)]
    invariant(len(refs) == len(inner.children), "children are written before their parent")
    content: bytes = msgpack.packb((inner.separators, refs, inner.newest))
    return content, any(ref & HAS_TOMBSTONES for ref in refs)


def decode_node(kind: Kind, content: bytes, place: Place, source: ValueSource) -> Node:
    """The node that stands at `place`.

    Raises:
        CorruptionError: it is no node.
    """
    page = page_of(place.ref)
    if kind not in (Kind.LEAF, Kind.INNER):
        raise wrong_kind(page, kind)
    first, second, third = _unpack(content, page)
    node: Node
    if kind is Kind.LEAF:
        long = {key: LongValue.stored(Place(ref, pages_of(length)), length, source) for key, ref, length in third}
        node = Leaf(0, list(first), list(second), long or None)
    else:
        node = Inner(0, list(first), list(second), list(third))
    node.place = place
    return node


# --- metas and the free list ----------------------------------------------------------------------------------------


def encode_meta(meta: Meta) -> bytes:
    content: bytes = msgpack.packb(
        (
            FORMAT_VERSION,
            PAGE_BYTES,
            meta.checkpoint,
            meta.applied.index,
            meta.applied.term,
            meta.applied.membership,
            meta.root,
            meta.count,
            meta.page_count,
            meta.free_list,
        )
    )
    return encode_run(meta.checkpoint % META_PAGES, Kind.META, content)[0]


def decode_meta(data: bytes, page: int) -> Meta:
    """The meta at page 0 or 1, whose bytes are `data`.

    Raises:
        CorruptionError: it is damaged, or of a format that this version does not know.
    """
    kind, content = decode_run(data, page)
    if kind is not Kind.META:
        raise wrong_kind(page, kind)
    version, page_bytes, checkpoint, *fields = _unpack(content, page)
    if (version, page_bytes) != (FORMAT_VERSION, PAGE_BYTES):
        raise _damaged(page, f"format {version} with pages of {page_bytes} bytes is not format {FORMAT_VERSION}")
    meta = Meta(checkpoint, Applied(*fields[:3]), *fields[3:])
    if meta.checkpoint % META_PAGES != page:
        raise _damaged(page, f"the meta of checkpoint {meta.checkpoint} cannot stand here")
    return meta


def free_list_pages(extents: int) -> int:
    """How many pages a free list of so many extents takes at most."""
    return pages_of(16 + 10 * extents)


def encode_free_list(free: Iterable[Extent], given_up: Iterable[Extent], pages: int) -> bytes:
    """The free list's content, made long enough to take `pages` pages."""
    rows = [[number for extent in extents for number in extent] for extents in (free, given_up)]
    content: bytes = msgpack.packb(rows)
    return content.ljust((pages - 1) * PAGE_BYTES, b"\0")


def decode_free_list(content: bytes, page: int) -> tuple[list[Extent], list[Extent]]:
    """What is free, and what the checkpoint of this list gave up; the content of the list at `page`."""
    free, given_up = _unpack(content, page)
    return list(zip(free[::2], free[1::2], strict=True)), list(zip(given_up[::2], given_up[1::2], strict=True))
