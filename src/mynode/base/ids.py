"""Names for the integers and byte strings that identify things, so that signatures say what they take."""

from __future__ import annotations

from typing import TypeAlias

NodeId: TypeAlias = int
"""A node's number in its cluster, 1 to 65,535."""

Term: TypeAlias = int
"""A Raft term, from 1; 0 before the first election."""

LogIndex: TypeAlias = int
"""A position in the raft log, from 1; 0 means 'before the first entry'."""

Version: TypeAlias = int
"""The raft index of the entry whose transaction wrote a record; a read view at version v sees all records <= v."""

Incarnation: TypeAlias = str
"""16 hex digits, chosen at random when a data directory is made: the same node with another one has forgotten all."""

ProposalId: TypeAlias = bytes
"""12 bytes: 8 random ones of the node's start, 4 of a counter. Names one proposal, so that its node knows the entry."""

SessionId: TypeAlias = bytes
"""16 random bytes that a client chooses for one SQL session; with a sequence number it names one statement."""
