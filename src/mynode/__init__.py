"""MyNode: a distributed SQL database in Python on Trio."""

__version__ = "0.1.0"
