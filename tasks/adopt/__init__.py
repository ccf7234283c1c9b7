"""Reading a repository that nobody knows yet, and writing the config/ that is proposed for it. Without Prefect."""
