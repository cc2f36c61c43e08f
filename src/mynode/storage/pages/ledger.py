"""Which pages may be written: free ones, and those that were given up long enough ago."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mynode.base.invariant import invariant
from mynode.storage.nodes import Place
from mynode.storage.pages.cache import NodeCache
from mynode.storage.pages.format import (
    META_PAGES,
    Extent,
    encode_free_list,
    extent_of,
    free_list_pages,
    place_of,
)
from mynode.storage.pages.free_space import FreeSpace

_PLACES_PER_STEP = 256


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What checkpoint number `checkpoint` does without; trees of epochs up to `epoch` may still reach it."""

    checkpoint: int
    epoch: int
    places: list[Place]

    def pages(self) -> int:
        return sum(place.pages for place in self.places)


class PageLedger:
    """Gives out pages to write, and takes them back when nobody can reach them any more.

    What checkpoint n gives up is still reached by the meta of checkpoint n - 1, which stands until that of n + 1 is
    durable, and by read views of trees as old as the epoch that ended when n began. So it is free once n + 1 is durable
    and no such tree is alive.

    Invariants (`check_invariants`): no page is given up or free twice. Together with what the newest meta and a running
    checkpoint reach, the free pages and those given up are all of the file.
    """

    def __init__(self, free: Iterable[Extent], given_up: Iterable[Extent], checkpoint: int, page_count: int) -> None:
        """As the meta of `checkpoint` says it."""
        self.space = FreeSpace(free, page_count)
        self._waiting = deque((GivenUp(checkpoint, 0, [place_of(extent) for extent in given_up]),))

    @property
    def waiting_pages(self) -> int:
        """Pages given up that are not free yet."""
        return sum(item.pages() for item in self._waiting)

    def give_up(self, item: GivenUp) -> None:
        """Checkpoint `item.checkpoint` is durable."""
        self._waiting.append(item)

    def reclaim(self, durable_checkpoint: int, oldest_epoch: int, nodes: NodeCache) -> Iterator[None]:
        """Make free what can be, some at each step; no living tree is of an epoch before `oldest_epoch`."""
        waiting = self._waiting
        while waiting and waiting[0].checkpoint < durable_checkpoint and waiting[0].epoch < oldest_epoch:
            places = waiting[0].places
            while places:
                for place in places[-_PLACES_PER_STEP:]:
                    nodes.discard(place.ref)
                    self.space.release(extent_of(place))
                del places[-_PLACES_PER_STEP:]
                yield
            waiting.popleft()

    def make_free_list(self, given_up: list[Place]) -> tuple[int, bytes]:
        """A page to write it to, and the content, of the free list of a checkpoint that gives up `given_up`.

        It lists as free what a start may write to: there are no read views then.
        """
        waiting = [extent_of(place) for item in self._waiting for place in item.places]
        pages = free_list_pages(len(self.space) + 1 + len(waiting) + len(given_up))
        page = self.space.allocate(pages)
        free = self.space.extents() + waiting
        return page, encode_free_list(free, [extent_of(place) for place in given_up], pages)

    def check_invariants(self) -> None:
        self.space.check_invariants()
        pages: set[int] = set()
        extents = self.space.extents() + [extent_of(place) for item in self._waiting for place in item.places]
        for start, length in extents:
            run = set(range(start, start + length))
            invariant(not run & pages, "no page is free or given up twice")
            pages |= run
        invariant(not pages or min(pages) >= META_PAGES, "metas are never free")
