"""Migrations of an app: which tool makes them, what their SQL does to the version that still runs."""
