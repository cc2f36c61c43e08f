"""A SQL session, sync and free of transport and clock: it yields what it needs and is sent the answers."""
