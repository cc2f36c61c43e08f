"""Every bound of a node, with its unit in its name, in one place; their relations are checked at import.

A bound that a user can change in the configuration has its default here.
"""

from __future__ import annotations

from typing import Final

from mynode.base.invariant import invariant

KIB: Final = 1024
MIB: Final = 1024 * KIB

# --- SQL ------------------------------------------------------------------------------------------------------------
MAX_STATEMENT_BYTES: Final = 1 * MIB
"""The text of one statement, in UTF-8."""
MAX_PARAMETERS: Final = 65_535
MAX_NESTING: Final = 200
"""Depth of expressions, sub-queries and parentheses; far below Python's recursion limit."""
MAX_IDENTIFIER_BYTES: Final = 63
"""As PostgreSQL's NAMEDATALEN - 1, but a longer name is an error, not cut."""
MAX_COLUMNS: Final = 1_600
MAX_INDEX_COLUMNS: Final = 32
MAX_ROW_ENTRIES: Final = 100
"""As PostgreSQL's INDEX_MAX_KEYS."""
MAX_KEY_BYTES: Final = 8 * KIB
MAX_ROW_BYTES: Final = 4 * MIB
MAX_TRANSACTION_BYTES: Final = 8 * MIB
"""One transaction's encoded entry: its read set, write set and result."""
MAX_STORED_RESULT_BYTES: Final = 1 * MIB
"""The rows that a statement by itself returns for what it writes: they are replicated, for a retry to find them."""
MAX_READ_SET_ITEMS: Final = 4_096
MAX_READ_SET_BYTES: Final = 1 * MIB
"""Keys and ranges that one transaction remembers to have read; beyond it they are coarsened into wider ranges."""
MAX_SAVEPOINTS: Final = 1_000
"""Of one transaction at a time."""
MAX_SESSION_SETTINGS: Final = 256
MAX_SETTING_BYTES: Final = 1 * KIB
"""The value of one setting."""
MAX_PREPARED_BYTES: Final = 3 * MIB // 2
"""The texts and names of a session's prepared statements."""
MAX_SESSION_STATE_BYTES: Final = 2 * MIB
"""The settings and prepared statements of a session; they travel with its next statement when it changes nodes."""
FIRST_COUNTER_BLOCK: Final = 16
LARGEST_COUNTER_BLOCK: Final = 1_024
"""How many numbers of a column that counts by itself a node draws at first, and at most if they are used one by one."""
COUNTERS_IN_MEMORY: Final = 1_024
"""Counters of which a node keeps what is left of its blocks."""
ROWS_PER_BATCH: Final = 256
BYTES_PER_BATCH: Final = 256 * KIB
"""A result leaves in batches of at most this many rows or about this many bytes, whichever comes first."""
ROWS_BETWEEN_PAUSES: Final = 512
"""The executor lets other tasks run after this many rows examined."""
MAX_QUERY_BYTES: Final = 256 * MIB
"""About what the sorts, groups, hash tables and sub-queries of one statement may hold at a time."""
KEPT_ANSWERS: Final = 1_000
"""Answers of a sub-query that one execution keeps, in case that the same question comes again."""
MAX_WITH_USES: Final = 1_000
"""How often one statement may plan queries of WITH; each use plans its query, and those that this one uses, again."""
PLAN_CACHE_ENTRIES: Final = 1_024
PLAN_CACHE_CHARS: Final = 4 * MIB
"""Syntax trees and plans that a node keeps, and the texts of all statements in each of its caches."""
ROWS_INDEXED_AT_ONCE: Final = 5_000
"""A table of more rows than this gets an index in batches, while others write to it."""
INDEX_BATCH_ROWS: Final = 250
"""Rows of one such batch. Applying it holds up a node for about two milliseconds."""

# --- the hot lane ---------------------------------------------------------------------------------------------------
LANE_STATEMENTS: Final = 128
"""Of one batch."""
LANE_STATEMENT_READS: Final = 16
"""Keys and ranges that a statement of the lane may read; a larger one runs by itself."""
LANE_STATEMENT_BYTES: Final = 8 * KIB
"""What a statement of the lane may write, and its text and parameters may take."""
LANE_TRIES: Final = 8
"""How often a batch is run when others change what it reads; then its statements go back to their sessions."""
LANE_PATIENCE_MS: Final = 2_000
"""So long a session waits for the lane, and the lane for the outcome of a batch; then each goes on without."""

# --- sessions and the gRPC front ------------------------------------------------------------------------------------
MAX_SESSIONS: Final = 4_096
"""Open SQL sessions a node."""
MAX_REQUEST_FRAME_BYTES: Final = 16 * MIB
"""One gRPC message from a client or a peer."""
MAX_REPLY_FRAME_BYTES: Final = 1 * MIB
"""The server packs waiting replies into one message up to about this size."""
MAX_EXECUTE_BYTES: Final = 3 * MIB
"""A result of the unary `Execute`; clients of gRPC refuse messages over 4 MiB unless told otherwise."""
MAX_CONNECTIONS: Final = 1_024
"""Open connections on the node's port, of clients and peers; more are refused."""
MAX_UNSENT_BYTES: Final = 16 * MIB
"""What one connection may hold unsent; a peer that keeps sending beyond that without reading is cut off."""
KEEPALIVE_S: Final = 4
"""A connection is pinged after this long a silence, and closed after three times that."""
SESSION_INBOX: Final = 4
"""Requests of one session that may wait (it works on one at a time): a statement, its cancel, the close."""
CONNECTION_OUTBOX_REPLIES: Final = 128
"""Replies that may wait for one client connection; a session whose connection is full waits."""
IDLE_IN_TRANSACTION_TIMEOUT_S: Final = 60
"""A transaction whose client sends nothing for this long is rolled back."""
DEFAULT_STATEMENT_TIMEOUT_S: Final = 30
VIEW_TIMEOUT_S: Final = 300
"""A transaction, or a statement whose client does not read, ends when its view of the data is so old."""

# --- replicated state -----------------------------------------------------------------------------------------------
# These decide what entries do: all nodes must have the same, and a change of one is a change of the state machine.
MAX_OUTCOMES: Final = 100_000
"""Sessions whose last outcome the replicated outcome table keeps."""
RETENTION_ENTRIES: Final = 100_000
"""Tombstones newer than the applied index minus this stay; a transaction on an older view aborts. That is until ALTER
SYSTEM says another number; see `mvcc.retention`."""
MIN_RETENTION_ENTRIES: Final = 1_000
MAX_RETENTION_ENTRIES: Final = 1_000_000
"""What ALTER SYSTEM may say: transactions have to end within the least, and the most bounds the machine's memory."""
HISTORY_RECORDS: Final = 200_000
"""What was overwritten or deleted and is kept for `AS OF SYSTEM TIME`: so many records, from RETENTION_ENTRIES back; of
another number of entries in proportion."""
HISTORY_VALUE_BYTES: Final = 64 * KIB
"""A longer value is not kept when it is replaced: what was before can then be read no more."""
TIME_SAMPLE_MS: Final = 100
"""How precisely the versions of the past are found by their time."""
TOMBSTONES_PER_ENTRY: Final = 32
"""Most tombstones that applying one entry takes out, so that the echo of one huge delete does not stall a later one."""
GARBAGE_PER_ENTRY: Final = 32
"""Most keys of dropped tables and indexes that applying one entry takes out."""

# --- the node's loop ------------------------------------------------------------------------------------------------
LONG_STATEMENT_CHARS: Final = 16 * KIB
"""A longer text is parsed and planned in a thread beside the loop, one at a time; a shorter one takes some 50 ms."""
SWITCH_INTERVAL_S: Final = 0.000_5
"""So long the loop waits for its turn, at each of its system calls, while that thread works; Python says 0.005."""
MAX_COMPILED_CHARS: Final = 512 * KIB
"""Python source of one compiled function: its compilation stops the whole process, for up to 0.2 s."""
ROWS_COMPILED: Final = 256
"""Rows of VALUES that are compiled to one function."""
APPLY_STEP_WRITES: Final = 512
APPLY_STEP_BYTES: Final = 32 * KIB
"""After so many writes of one entry, or bytes of entries, applying them lets other tasks run: some milliseconds."""

# --- Raft -----------------------------------------------------------------------------------------------------------
TICK_MS: Final = 50
HEARTBEAT_TICKS: Final = 2
ELECTION_TICKS: Final = 20
"""A follower starts an election after ELECTION_TICKS to 2 * ELECTION_TICKS ticks without a word of the leader."""
MAX_CLOCK_DRIFT_PERCENT: Final = 10
"""With `lease_reads`: the clocks of two nodes may differ in rate by so much. Real ones differ by less than 0.1."""
MAX_APPEND_BYTES: Final = 1 * MIB
"""Payload bytes of one append request (a single larger entry goes alone)."""
MAX_APPEND_ENTRIES: Final = 1_024
MAX_INFLIGHT_APPENDS: Final = 16
"""Append requests to one follower that wait for their answer."""
MAX_UNCOMMITTED_BYTES: Final = 64 * MIB
"""Payload bytes the leader holds uncommitted; beyond it, proposals are refused as busy."""
LOG_TAIL_BYTES: Final = 32 * MIB
"""Payload bytes of the newest entries kept in memory; older ones are fetched from the log store."""
MAX_LOAD_BYTES: Final = 4 * MIB
"""Entries fetched from the log store in one answer."""
MAX_UNAPPLIED_BYTES: Final = 16 * MIB
"""About what the state machine may have waiting before the raft core delivers no more to it."""
SNAPSHOT_CHUNK_BYTES: Final = 1 * MIB
"""A part of a snapshot on its way to a follower; one is unanswered at a time."""
SNAPSHOT_IDLE_S: Final = 60
"""A checkpoint that is being sent is held for so long after a follower last asked for a part of it."""
FOLLOWER_PATIENCE_TICKS: Final = 600
"""The log that a follower still needs is kept for so long after its last word."""
CAUGHT_UP_ENTRIES: Final = 1_000
"""A learner becomes a voter only when it lacks no more than this."""
PEER_OUTBOX_MESSAGES: Final = 256
"""Messages to one peer that may wait; more are dropped (Raft tolerates loss)."""
PEER_INBOX_MESSAGES: Final = 4_096
"""Messages of all peers that may wait for the raft actor; more are dropped."""
MAX_PEERS: Final = 8
MAX_NODE_ID: Final = 65_535

# --- raft log on disk -----------------------------------------------------------------------------------------------
SEGMENT_BYTES: Final = 64 * MIB
"""A segment is closed once it is at least this long."""
MAX_LOG_BYTES: Final = 1024 * MIB
"""A log longer than this is cut behind the checkpoint whoever still needs it: a snapshot serves them."""
SEGMENT_RESERVE_BYTES: Final = 64 * KIB
"""The newest segment's file is filled with zeros this far ahead of its end."""

# --- page file ------------------------------------------------------------------------------------------------------
PAGE_CACHE_BYTES: Final = 256 * MIB
"""Memory for nodes that were read from the page file or written to it; what no checkpoint has written comes on top."""

CHECKPOINT_ENTRIES: Final = 50_000
"""After so many entries applied, the next checkpoint begins even if it is not time yet. As many entries before the
newest checkpoint stay in the log, at least, for a node that was away for a moment."""

# --- relations ------------------------------------------------------------------------------------------------------
invariant(
    MAX_KEY_BYTES < MAX_ROW_BYTES < MAX_TRANSACTION_BYTES < MAX_REQUEST_FRAME_BYTES,
    "a key fits a row, a row a transaction, a transaction a frame",
)
invariant(2 * MAX_KEY_BYTES < MAX_READ_SET_BYTES // 2, "a range fits a coarsened read set")
invariant(
    MAX_READ_SET_BYTES + MAX_STORED_RESULT_BYTES < MAX_TRANSACTION_BYTES,
    "a read set and a result fit a transaction",
)
invariant(LANE_STATEMENTS * LANE_STATEMENT_READS < MAX_READ_SET_ITEMS, "a batch's reads stay precise")
invariant(2 * LANE_STATEMENTS * LANE_STATEMENT_BYTES < MAX_TRANSACTION_BYTES, "a batch fits a transaction")
invariant(MAX_STATEMENT_BYTES < MAX_REQUEST_FRAME_BYTES, "a statement fits a frame")
invariant(
    MAX_APPEND_BYTES + MAX_TRANSACTION_BYTES + MAX_SESSION_STATE_BYTES < MAX_REQUEST_FRAME_BYTES,
    "a frame and one more statement with its session's state fit",
)
invariant(
    MAX_PREPARED_BYTES + MAX_SESSION_SETTINGS * (MAX_SETTING_BYTES + 3 * MAX_IDENTIFIER_BYTES)
    < MAX_SESSION_STATE_BYTES,
    "whatever a session may set and prepare is a state",
)
invariant(MAX_APPEND_BYTES <= MAX_LOAD_BYTES <= LOG_TAIL_BYTES, "an append is filled by one load")
invariant(MAX_TRANSACTION_BYTES + MAX_APPEND_BYTES < MAX_REQUEST_FRAME_BYTES, "any append fits a frame")
invariant(MIN_RETENTION_ENTRIES <= RETENTION_ENTRIES <= MAX_RETENTION_ENTRIES, "the default could be set")
invariant(2 * SNAPSHOT_CHUNK_BYTES < MAX_REQUEST_FRAME_BYTES, "a part of a snapshot fits a frame")
invariant(SEGMENT_BYTES < MAX_LOG_BYTES, "a log is a few segments at least")
invariant(2 * HEARTBEAT_TICKS < ELECTION_TICKS, "a lost heartbeat does not start an election")
invariant(ROWS_PER_BATCH <= ROWS_BETWEEN_PAUSES, "a batch is made between two pauses")
