"""Envoy in front of an environment: its configuration, its routes, its figures."""
