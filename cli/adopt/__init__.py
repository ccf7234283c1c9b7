"""Commands that take up an app."""
