"""A team's compose file, and the files that Slipway makes of it: one for each slot, for singletons and shared services.

All of it works on the model that `docker compose config --format json` prints, and changes nothing.
"""
