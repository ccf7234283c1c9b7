"""Prefect's server, its workers and the monitoring stack: what runs the flows on this host. No flows in here."""
