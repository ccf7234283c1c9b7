"""What is told to people and programs outside: a queue that survives a crash, and one file a channel."""
