"""The first byte of every key says whose it is."""

from __future__ import annotations

from typing import Final

CATALOG: Final = b"\x01"
"""Schemas. Their tombstones are kept for ever, so that the newest version in this keyspace never goes down and can
name a state of the catalog in a cache."""
ROWS: Final = b"\x02"
INDEXES: Final = b"\x03"
COUNTERS: Final = b"\x04"
GARBAGE: Final = b"\x05"
"""What key ranges nobody uses any more; see `mvcc.garbage`."""
MACHINE: Final = b"\xf0"
"""The state machine's own records (outcomes of sessions); no transaction may write them."""
HISTORY: Final = b"\xf1"
"""What was overwritten or deleted, by the state machine as well; see `mvcc.history`."""
