"""Nodes as operating-system processes: the process of one, and the launcher that keeps several on this machine."""
