"""Programs of strangers: what they see, what they may use, and how they end."""
