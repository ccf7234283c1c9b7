"""Tools, suites, coverage, benchmarks: everything that a commit is checked with but scans and the load test."""
