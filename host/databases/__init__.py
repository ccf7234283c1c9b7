"""Servers of PostgreSQL and Redis, run as processes of this host."""
