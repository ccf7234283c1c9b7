"""Where an app's database is, in the words of its driver, and whether a server of others will do."""
