"""The B+tree on disk: a copy-on-write page file, written by checkpoints.

| module | holds |
|---|---|
| format | the format on disk as a table, why a crash at any moment leaves a whole tree, encoding and decoding |
| free_space | runs of free pages |
| ledger | when a page that a checkpoint gave up is free |
| page_file | reading and writing runs, checksums, what happens after a failure |
| cache | the nodes in memory, bounded in bytes |
| checkpoint | writing what is dirty, in slices, and making it durable |
| engine | `PageEngine` |
"""

from mynode.storage.pages.engine import PageEngine

__all__ = ["PageEngine"]
