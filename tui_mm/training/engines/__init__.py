"""Step engines: how a block of steps is computed."""
