"""What tests stand on: script runners, in-memory surroundings, harnesses for real processes, checkers."""
