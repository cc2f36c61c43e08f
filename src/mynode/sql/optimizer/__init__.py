"""Rules that turn a plan into a better one with the same result: pure functions, one a file, applied in order."""
