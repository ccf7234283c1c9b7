"""Dockerfiles: how Docker reads them, and what is wrong with them."""
