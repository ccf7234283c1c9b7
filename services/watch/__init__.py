"""Looks after environments and open questions all the time."""
