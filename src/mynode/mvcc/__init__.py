"""Transactions on versions: read views, what a transaction read and wrote, and the validation that decides it.

Optimistic and decided in log order, as in FoundationDB: a transaction reads one immutable view, its read and write set
travel in one raft entry, and applying the entry aborts it if anything it read has changed since its view.
"""
