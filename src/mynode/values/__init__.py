"""SQL values: their types, their comparison and order, their text and key forms, and the casts between them."""
