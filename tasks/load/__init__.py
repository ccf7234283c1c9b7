"""The load test, and its comparison with the version before."""
