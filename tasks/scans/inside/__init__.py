"""Programs that look at the app's files inside of the sandbox: standard library only."""
