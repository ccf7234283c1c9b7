"""The HTTP interface, one noun a file. Paths are written in full: a search finds them."""
