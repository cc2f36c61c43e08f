"""The replicated state machine: turns committed entries into versions of the tree, alike on every node.

Everything it decides rests on the entries and on the tree they made: no clock, no randomness, no local settings. It
knows nothing of SQL; a transaction's result is bytes to it.
"""
