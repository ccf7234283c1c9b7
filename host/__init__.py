"""What the machine gives: files, ports, logs, processes; no environment and no app is known in here."""
