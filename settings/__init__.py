"""Readers of config/. A wrong value is refused with file, key and the next move."""
