"""SQL: text to tokens to a typed tree, names and types bound to the catalog, a plan, and rows."""
