"""The durable raft log: segment files of checksummed batches, one fsync a batch.

| module | holds |
|---|---|
| format | the format on disk as a table, why a torn tail can be told from damage, encoding and decoding |
| index | where each entry lies, in memory |
| recovery | reading the segments at start |
| log | `RaftLog` |
"""

from mynode.storage.raft_log.log import RaftLog

__all__ = ["RaftLog"]
