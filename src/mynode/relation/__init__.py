"""Tables on top of keys and values: schemas and their catalog, the layout of row keys, rows, constraints."""
