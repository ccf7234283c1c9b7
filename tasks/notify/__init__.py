"""What a run tells people and GitHub."""
