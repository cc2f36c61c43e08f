"""Validation: has anything that a transaction read changed since its view?"""

from __future__ import annotations

from mynode.base.ids import Version
from mynode.mvcc.readset import ReadSet
from mynode.storage.tree import TreeReader


def conflict(tree: TreeReader, view_version: Version, reads: ReadSet) -> bytes | None:
    """The first key read, or start of a range read, that has a version newer than the view; None if there is none.

    A key of which only the presence was read has lost it if what is newer is a deletion: the question whether it is
    there, asked again now, gets the same answer as long as there is a value. (A deletion that a view has not seen is
    not collected while the view may still be validated.)

    Backward validation of optimistic concurrency control (Kung and Robinson 1981, section 4). `tree` may be an editor
    in the middle of a batch: then what the batch wrote so far counts as well.
    """
    get = tree.get
    for key in reads.keys:
        record = get(key)
        if record is not None and record[0] > view_version:
            return key
    for key in reads.present:
        record = get(key)
        if record is not None and record[0] > view_version and record[1] is None:
            return key
    for low, high in reads.ranges:
        if tree.newest_exceeds(low, high, view_version):
            return low
    return None
