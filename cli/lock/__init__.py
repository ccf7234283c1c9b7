"""`slipway lock`: a lock with hashes, made of what a project asks for."""
