"""Cores, shares of them, and how long processes waited for one."""
