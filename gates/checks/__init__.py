"""What becomes of a commit: tools, suites, coverage, speed."""
