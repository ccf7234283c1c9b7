"""The steps of a release."""
