"""What happened in an environment, for good: the journal, what it adds up to, and who may add to it."""
