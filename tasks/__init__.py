"""One effect each, as Prefect tasks."""
