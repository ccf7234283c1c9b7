"""Readers of other tools' locks: each makes of one what `gates/locks.py` makes of a list of requirements."""
