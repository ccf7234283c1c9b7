"""Commands that take up an app: a proposed config/, and a baseline of what is found in it today."""
