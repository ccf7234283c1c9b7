"""A load generator that counts lost requests, as users would lose them."""
