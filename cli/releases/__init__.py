"""`slipway release`, `rollback`, `restored`: what changes an environment, typed by a person."""
