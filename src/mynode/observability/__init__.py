"""What a node tells its operator while it runs: log lines, by structlog, one an event."""
