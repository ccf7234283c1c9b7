"""What people are told, as neutral messages and as Slack shows them, and what comes from outside as a webhook."""
