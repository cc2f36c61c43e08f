"""What a node keeps: the copy-on-write B+tree with the engine around it, and the segments of the raft log.

Nothing here knows of transactions or SQL: keys and values are bytes, versions are raft indexes.
"""
