"""Proves a page file sound, offline: reads every page that a checkpoint reaches and accounts for every other one."""

from __future__ import annotations

from dataclasses import dataclass, field

from mynode.base.disk import Disk
from mynode.base.errors import CorruptionError, InvariantViolation
from mynode.base.ids import LogIndex
from mynode.storage.nodes import HAS_TOMBSTONES, Inner, Leaf, Ref, check_node_shape
from mynode.storage.pages.format import FILE_NAME, META_PAGES, PAGE_BYTES, Extent, Meta, extent_of, page_of
from mynode.storage.pages.page_file import PageFile
from mynode.storage.tree import FAN_OUT, MIN_FILL


@dataclass(slots=True)
class CheckpointSizes:
    """What one checkpoint holds. Pages are of `format.PAGE_BYTES`; those of all kinds add up to `pages`."""

    checkpoint: int
    applied_index: LogIndex
    pages: int
    records: int = 0
    tombstones: int = 0
    long_values: int = 0
    depth: int = 0
    leaf_pages: int = 0
    inner_pages: int = 0
    value_pages: int = 0
    free_pages: int = 0
    waiting_pages: int = 0
    free_list_pages: int = 0


@dataclass(slots=True)
class PageCheck:
    """What a check found.

    Args:
        checkpoints: those that the valid metas stand for, the newest first.
        problems: the first thing about each checkpoint that must not be; none if the file is sound.
        notes: what is unusual and harmless.
    """

    checkpoints: list[CheckpointSizes] = field(default_factory=list)
    problems: list[CorruptionError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_pages(disk: Disk) -> PageCheck:
    """Check the page file in `disk`, which no process has open; changes nothing.

    For both checkpoints: each page is reachable or free or given up, exactly once; checksums hold; keys ascend and stay
    within the bounds of their parents; nodes are filled as they should be; newest marks, tombstone marks, counts and
    depths are exact.

    Raises:
        DiskError: the disk failed, or there is no page file.
    """
    handle = disk.open(FILE_NAME)
    try:
        return check_file(PageFile(handle))
    finally:
        handle.close()


def check_file(file: PageFile) -> PageCheck:
    """The same of a page file of any name. Raises `DiskError`."""
    result = PageCheck()
    metas = file.metas()
    valid = sorted((meta for meta in metas if isinstance(meta, Meta)), key=lambda meta: -meta.checkpoint)
    invalid = [error for error in metas if isinstance(error, CorruptionError)]
    if not valid:
        result.problems += invalid
    elif valid[0].checkpoint > 0:
        result.notes += [f"{error}: torn by a crash, or damaged; the other meta stands" for error in invalid]
    for meta in valid:
        checker = _Checker(file, meta, result.problems)
        checker.check()
        result.checkpoints.append(checker.sizes)
    return result


class _Checker:
    """Checks all that one meta reaches."""

    def __init__(self, file: PageFile, meta: Meta, problems: list[CorruptionError]) -> None:
        self.sizes = CheckpointSizes(meta.checkpoint, meta.applied.index, meta.page_count)
        self._file = file
        self._meta = meta
        self._problems = problems
        self._accounted = bytearray(meta.page_count)
        self._accounted[:META_PAGES] = b"\1" * META_PAGES

    def check(self) -> None:
        meta = self._meta
        try:
            if meta.free_list:
                self._check_free_list(meta.free_list)
            if meta.root:
                self.sizes.depth = 1 + self._check_node(meta.root, None, None, None)[1]
            if self.sizes.records != meta.count:
                raise self._damaged(
                    meta.checkpoint % META_PAGES, f"{self.sizes.records} records, the meta says {meta.count}"
                )
        except CorruptionError as error:
            self._problems.append(error)
            # What is below a damaged page is not known, so no page can be called lost.
            return
        lost = self._accounted.find(b"\0")
        if lost >= 0:
            missing = self._accounted.count(b"\0")
            self._problems.append(self._damaged(lost, f"this page is neither reachable nor free; {missing} such pages"))

    def _check_free_list(self, ref: Ref) -> None:
        free, given_up, place = self._file.read_free_list(ref)
        self.sizes.free_list_pages = place.pages
        self.sizes.free_pages = sum(pages for _, pages in free)
        self.sizes.waiting_pages = sum(pages for _, pages in given_up)
        for extent in (extent_of(place), *free, *given_up):
            self._account(extent)

    def _account(self, extent: Extent) -> None:
        start, pages = extent
        if not META_PAGES <= start <= start + pages <= len(self._accounted):
            raise self._damaged(start, "this page lies outside of the file's pages")
        if any(self._accounted[start : start + pages]):
            raise self._damaged(start, "this page is in use twice, or in use and free")
        self._accounted[start : start + pages] = b"\1" * pages

    def _check_node(self, ref: Ref, low: bytes | None, high: bytes | None, newest: int | None) -> tuple[bool, int]:
        """Check everything below `ref`; returns whether there are tombstones, and how many levels are below it."""
        page = page_of(ref)
        node = self._file.read_node(ref)
        assert node.place is not None
        self._account(extent_of(node.place))
        is_root = newest is None
        fewest = (2 if isinstance(node, Inner) else 0) if is_root else MIN_FILL
        try:
            check_node_shape(node, low, high, fewest, FAN_OUT)
        except InvariantViolation as error:
            raise self._damaged(page, error.message) from error
        if newest is not None and node.newest_version() != newest:
            raise self._damaged(page, f"its newest version is {node.newest_version()}, its parent says {newest}")
        has_tombstones, depth = (
            (self._check_leaf(node), 0) if isinstance(node, Leaf) else self._check_children(node, page, low, high)
        )
        if has_tombstones != bool(ref & HAS_TOMBSTONES):
            raise self._damaged(page, "its parent is wrong about tombstones below it")
        return has_tombstones, depth

    def _check_leaf(self, leaf: Leaf) -> bool:
        assert leaf.place is not None
        sizes = self.sizes
        sizes.leaf_pages += leaf.place.pages
        sizes.records += len(leaf.keys)
        tombstones = sum(value is None for _, value in leaf.records)
        sizes.tombstones += tombstones
        for value in (leaf.long or {}).values():
            assert value.place is not None
            self._account(extent_of(value.place))
            sizes.long_values += 1
            sizes.value_pages += value.place.pages
            if len(value.read()) != value.length:
                raise self._damaged(page_of(value.place.ref), f"a value of {value.length} bytes has another length")
        return tombstones > 0

    def _check_children(self, inner: Inner, page: int, low: bytes | None, high: bytes | None) -> tuple[bool, int]:
        assert inner.place is not None
        self.sizes.inner_pages += inner.place.pages
        bounds = [low, *inner.separators, high]
        found: set[int] = set()
        has_tombstones = False
        for slot, child in enumerate(inner.children):
            assert isinstance(child, int)
            tombstones, depth = self._check_node(child, bounds[slot], bounds[slot + 1], inner.newest[slot])
            has_tombstones |= tombstones
            found.add(depth)
        if len(found) != 1:
            raise self._damaged(page, "the leaves below it are not all equally deep")
        return has_tombstones, found.pop() + 1

    def _damaged(self, page: int, message: str) -> CorruptionError:
        return CorruptionError(message, file=FILE_NAME, offset=page * PAGE_BYTES)
