"""Decisions, pure: facts and limits in, a verdict with its reason out. No Prefect, no I/O, no clock."""
