"""gRPC: the services of a node, the streams between nodes, and the client's channel.

grpclib runs on asyncio, which `bridge.py` hosts inside Trio. Only this package imports asyncio, grpclib or
trio_asyncio, so that another transport can replace it.
"""
