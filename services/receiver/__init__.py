"""Takes what GitHub and Alertmanager send, and asks GitHub where nothing can be sent."""
