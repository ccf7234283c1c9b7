"""What the machine gives: files, ports, logs, sandbox, supervisor, databases, Docker, cores."""
