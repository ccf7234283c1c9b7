"""The commit: its files, its dependencies, and the workspace in which its checks run."""
