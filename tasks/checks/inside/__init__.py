"""Files that run inside the sandbox, by the app's interpreter (3.9 or newer), and import nothing of ours."""
