"""The webhooks' door: what GitHub, GitLab and Alertmanager send."""
