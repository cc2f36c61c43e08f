"""`mynode bench`: workloads that measure a running cluster through the Trio client, and check what it kept."""
