"""What sends queued messages, and takes answers from Slack."""
