"""What scanners say, read and judged."""
