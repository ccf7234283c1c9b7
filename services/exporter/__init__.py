"""Prometheus metrics and traces of an installation."""
