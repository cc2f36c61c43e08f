"""The actors of a node: each an inbox, a loop and effects. The only layer below the composition root that knows Trio.

`protocol.py` is the map; the thinking is in the sync classes of the layers below.
"""
