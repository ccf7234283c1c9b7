"""Source distributions of packages: fetched by hash, unpacked, and built into wheels in the sandbox."""
