"""The ways to run an artifact behind one small protocol: `process` today, `compose` to come."""
