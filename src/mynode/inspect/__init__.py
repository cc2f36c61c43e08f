"""A look at the files of nodes that are not running: `mynode check` proves them sound, `mynode dump` shows them."""
