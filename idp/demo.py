"""One small believable world: README, tests and screenshots all use it."""
