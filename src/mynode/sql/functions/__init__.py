"""The operators, functions and aggregates of SQL: one declaration each, found by name and types in `registry`."""
