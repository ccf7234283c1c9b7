"""The commands of `slipway`: one file for each."""
