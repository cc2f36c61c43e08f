"""The Trio client: it knows every node, packs what waits into one frame, and retries so that each statement applies
exactly once. `mynode.trio.connect` opens it over gRPC; the transport beneath it can be replaced.
"""
