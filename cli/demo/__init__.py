"""`slipway demo`: the whole story on this machine."""
