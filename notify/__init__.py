"""What is told to people and programs outside: a queue that survives a crash, Slack, GitHub, events."""
