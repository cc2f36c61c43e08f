"""Where state_machine shows its newest view: the one thing that actors share outside a channel, as it is immutable."""

from __future__ import annotations

from mynode.base.ids import Version
from mynode.base.invariant import invariant
from mynode.mvcc.view import ReadView


class NewestView:
    """The newest state of this node, for whoever needs no newer one; others ask by `OpenViews` and wait.

    A look here takes no time, where an ask takes two task switches, about 40 µs: once for each statement.

    Invariant: its version never goes back. Only state_machine shows.
    """

    __slots__ = ("_view",)

    def __init__(self, view: ReadView) -> None:
        self._view = view

    def show(self, view: ReadView) -> None:
        invariant(view.version >= self._view.version, "the newest view never goes back")
        self._view = view

    def at_least(self, version: Version) -> ReadView | None:
        """The newest view, None if that version is not applied yet."""
        view = self._view
        return view if view.version >= version else None
