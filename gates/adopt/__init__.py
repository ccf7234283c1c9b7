"""What a repository's files say of an app, and the config/ that is proposed for it. Nothing of the app is run."""
