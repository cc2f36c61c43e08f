from __future__ import annotations

from random import Random

from mynode.storage.pages.free_space import FreeSpace


def test_neighbours_become_one() -> None:
    space = FreeSpace([(2, 1), (4, 1), (8, 2)], 20)
    space.release((3, 1))
    assert space.extents() == [(2, 3), (8, 2)]
    space.release((5, 3))
    assert space.extents() == [(2, 8)]
    assert space.pages == 8


def test_the_tightest_fit_is_taken_and_the_end_grows_when_nothing_fits() -> None:
    space = FreeSpace([(2, 5), (10, 2), (20, 3)], 30)
    assert space.allocate(2) == 10
    assert space.allocate(2) == 20
    assert space.extents() == [(2, 5), (22, 1)]
    assert space.allocate(6) == 30
    assert (space.end, space.pages) == (36, 6)


def test_whatever_is_taken_and_given_back_every_page_is_in_one_place() -> None:
    random = Random(1)
    space, taken = FreeSpace((), 2), list[tuple[int, int]]()
    for _ in range(3_000):
        if taken and random.random() < 0.5:
            space.release(taken.pop(random.randrange(len(taken))))
        else:
            pages = random.choice((1, 1, 1, 2, 3, 9))
            taken.append((space.allocate(pages), pages))
    space.check_invariants()
    held = sorted(page for start, length in taken for page in range(start, start + length))
    free = [page for start, length in space.extents() for page in range(start, start + length)]
    assert sorted(held + free) == list(range(2, space.end))
    for extent in taken:
        space.release(extent)
    assert space.extents() == [(2, space.end - 2)]
