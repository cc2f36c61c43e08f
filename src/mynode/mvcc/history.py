"""What transactions have replaced, so that an older version can still be read: `AS OF SYSTEM TIME`.

Beside the records themselves the tree holds, in keyspace `HISTORY` and among the machine's own records:

| key                       | value                                                                               |
|---------------------------|-------------------------------------------------------------------------------------|
| f1 replaced key           | of `key`, what transaction `replaced` overwrote or deleted: its version, its value  |
| f0 03                     | the horizon: no version before this one can be read                                 |
| f0 04 time                | a version: the first one of this time or later, in ms since 1970                    |

Versions and times are 8 bytes big endian. All of it is replicated state, made by applying entries and by nothing else:
every node that has version v gives the same answers about it, restarted or not.

At version v a key has the value of its record, if that is of v or before. Else the record has come since, and what it
had at v is the oldest thing that was replaced after v: if that is itself of after v, or if there is none, the key was
not there. An insertion replaces nothing, so it costs nothing; nor does it matter what stood in place of a tombstone.

Invariants:

- What was replaced after the watermark and after the horizon is all there. So v can be read if it is not older.
- History goes oldest first, in the order of its keys: by the watermark, or by the horizon where there is too much.
- Both depend on the log's entries only, and each entry takes out at least as much as it adds, once there is too much.
- Times and versions of samples rise together. A time t stands for all that came before the first sample after t, hence
  for nothing that is newer than t by more than `limits.TIME_SAMPLE_MS`, as the proposers' clocks go.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final

from mynode.base.ids import Version
from mynode.base.invariant import invariant
from mynode.base.limits import (
    APPLY_STEP_WRITES,
    HISTORY_RECORDS,
    HISTORY_VALUE_BYTES,
    TIME_SAMPLE_MS,
    TOMBSTONES_PER_ENTRY,
)
from mynode.mvcc import keyspace
from mynode.mvcc.view import ReadView
from mynode.mvcc.writeset import Write
from mynode.storage.tree import Tree, TreeEditor, TreeReader

_HISTORY: Final = keyspace.HISTORY
_HISTORY_END: Final = b"\xf2"
_HORIZON: Final = keyspace.MACHINE + b"\x03"
_TIMES: Final = keyspace.MACHINE + b"\x04"
_TIMES_END: Final = keyspace.MACHINE + b"\x05"
_NUMBER_BYTES: Final = 8
_LEAVES_PER_STEP: Final = 8
_KEY_AT: Final = len(_HISTORY) + _NUMBER_BYTES


class History:
    """Follows what is applied, and keeps what `AS OF SYSTEM TIME` needs of it.

    Attributes:
        limit: of records; may change from one entry to the next. What is then too much goes a part with each entry.

    Invariant (`check_invariants`): it is what the tree that it follows would give it anew.
    """

    __slots__ = ("_first", "_last_time_ms", "_records", "_replaced_now", "horizon", "limit")

    def __init__(self, tree: Tree, *, limit: int = HISTORY_RECORDS) -> None:
        self.limit = limit
        self._records = sum(len(keys) for keys, _ in tree.scan_leaves(_HISTORY, _HISTORY_END))
        self._first = _first(tree)
        self.horizon = horizon(tree)
        last = next(tree.scan(_TIMES, _TIMES_END, reverse=True), None)
        self._last_time_ms = 0 if last is None else _number(last[0][len(_TIMES) :])
        self._replaced_now = 0

    def __len__(self) -> int:
        return self._records

    def keep(self, editor: TreeEditor, write: Write, version: Version) -> None:
        """`version` is about to write this: keep what it replaces."""
        key, _ = write
        replaced_version, value = editor.get(key) or (0, None)
        if value is None:
            return
        if len(value) > HISTORY_VALUE_BYTES:
            self._set_horizon(editor, version, version)
            return
        history_key = _HISTORY + _bytes(version) + key
        editor.put(history_key, version, _bytes(replaced_version) + value)
        if self._first is None:
            self._first = history_key
        self._records += 1
        self._replaced_now += 1

    def sample(self, editor: TreeEditor, version: Version, time_ms: int, watermark: Version) -> None:
        """`version` is committed, and was proposed at this time by its proposer's clock."""
        if time_ms < self._last_time_ms + TIME_SAMPLE_MS:
            return
        newest = _TIMES + _bytes(time_ms)
        editor.put(newest, version, _bytes(version))
        self._last_time_ms = time_ms
        for _ in range(2):
            # The newest stays, however old: a restart knows by it when the next one is due.
            first = editor.first_key(_TIMES)
            sample = None if first is None or first >= newest else editor.get(first)
            if first is not None and sample is not None and sample[0] < watermark:
                editor.remove(first)

    def collect(self, editor: TreeEditor, version: Version, watermark: Version) -> Generator[None, None, None]:
        """An entry was applied as `version`: take out a bounded part of what is too old or too much, with pauses."""
        most = max(TOMBSTONES_PER_ENTRY, 2 * self._replaced_now)
        self._replaced_now = 0
        too_much = 0
        while most and self._first is not None:
            replaced = _replaced_in(self._first)
            if replaced > watermark:
                if self._records <= self.limit:
                    break
                too_much = replaced
            editor.remove(self._first)
            self._first = _first(editor)
            self._records -= 1
            most -= 1
            if most % APPLY_STEP_WRITES == 0:
                yield
        if too_much > self.horizon:
            self._set_horizon(editor, version, too_much)

    def _set_horizon(self, editor: TreeEditor, version: Version, horizon: Version) -> None:
        self.horizon = horizon
        editor.put(_HORIZON, version, _bytes(horizon))

    def check_invariants(self, tree: Tree) -> None:
        anew = History(tree, limit=self.limit)
        invariant(self._records == anew._records, "the records of the history are counted")
        invariant(self.horizon == anew.horizon, "the horizon follows the tree")
        invariant(self._first == anew._first, "the oldest record of the history is known")
        invariant(self._last_time_ms == anew._last_time_ms, "the newest sample of the time is known")


def _first(tree: TreeReader) -> bytes | None:
    """The oldest record's key."""
    key = tree.first_key(_HISTORY)
    return None if key is None or key >= _HISTORY_END else key


def _replaced_in(key: bytes) -> Version:
    return _number(key[len(_HISTORY) : _KEY_AT])


def horizon(tree: TreeReader) -> Version:
    """No version before this one can be read, as far as it was not the watermark that took its history."""
    record = tree.get(_HORIZON)
    return 0 if record is None or record[1] is None else _number(record[1])


def version_at(view: ReadView, time_ms: int) -> Version | None:
    """The version that was the newest at that time; None if that is longer ago than the view's tree remembers."""
    oldest = next(view.tree.scan(_TIMES, _TIMES_END), None)
    if oldest is None or _number(oldest[0][len(_TIMES) :]) > time_ms:
        return None
    later = next(view.tree.scan(_TIMES + _bytes(time_ms + 1), _TIMES_END), None)
    return view.version if later is None else later[1][0] - 1


@dataclass(frozen=True, slots=True)
class HistoricView(ReadView):
    """A view of an older version, on the tree of a newer one.

    Attributes:
        replaced: by key, what it had at `version`, of all keys that were overwritten or deleted since; see `collect`.
    """

    replaced: dict[bytes, tuple[Version, bytes | None]]

    def get(self, key: bytes) -> bytes | None:
        record = self.tree.get(key)
        return None if record is None else self._at(key, record)[1]

    def scan_leaves(
        self, low: bytes, high: bytes | None, *, reverse: bool = False
    ) -> Iterator[tuple[list[bytes], list[bytes]]]:
        for keys, records in self.tree.scan_leaves(low, high, reverse=reverse):
            found = [(key, self._at(key, record)[1]) for key, record in zip(keys, records, strict=True)]
            yield [key for key, value in found if value is not None], [value for _, value in found if value is not None]

    def newest_in(self, low: bytes, high: bytes | None) -> Version:
        return max((self._at(key, record)[0] for key, record in self.tree.scan(low, high)), default=0)

    def newest_exceeds(self, low: bytes, high: bytes | None, version: Version) -> bool:
        return self.newest_in(low, high) > version

    def _at(self, key: bytes, record: tuple[Version, bytes | None]) -> tuple[Version, bytes | None]:
        """What `key`, whose record is this now, had at `version`; (0, None) if it was not there."""
        if record[0] <= self.version:
            return record
        return self.replaced.get(key, _ABSENT)


_ABSENT: Final[tuple[Version, bytes | None]] = (0, None)


def historic_view(view: ReadView, version: Version) -> Iterator[HistoricView | None]:
    """The view of that version, in the end; None now and then, before that, so that other tasks can run."""
    replaced: dict[bytes, tuple[Version, bytes | None]] = {}
    leaves = view.tree.scan_leaves(_HISTORY + _bytes(version + 1), _HISTORY_END)
    for number, (keys, records) in enumerate(leaves, start=1):
        for history_key, (_, value) in zip(keys, records, strict=True):
            key = history_key[_KEY_AT:]
            if value is not None and key not in replaced:
                before = _number(value[:_NUMBER_BYTES])
                replaced[key] = (before, value[_NUMBER_BYTES:]) if before <= version else _ABSENT
        if number % _LEAVES_PER_STEP == 0:
            yield None
    yield HistoricView(version, view.tree, replaced)


def _bytes(number: int) -> bytes:
    return number.to_bytes(_NUMBER_BYTES, "big")


def _number(encoded: bytes) -> int:
    return int.from_bytes(encoded, "big")
