"""Sans-IO consensus: `core.RaftCore` takes events, returns effects, and knows no clock, no I/O and no global random.

Sources: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm (Extended Version)", 2014 ("the
paper"), and Ongaro's dissertation, "Consensus: Bridging Theory and Practice", 2014. `core` is the place to begin.
"""
