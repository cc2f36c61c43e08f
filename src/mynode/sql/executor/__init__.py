"""Plans carried out: operators that stream batches of rows, and the statements on top of them."""
