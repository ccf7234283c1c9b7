"""Attacks on the boundaries of docs/security.md, by what a stranger's app could do. `make attack` runs them all."""
