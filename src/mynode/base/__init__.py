"""What every layer stands on: errors, names of ids, bounds, `invariant`, and the one door to the disk."""
