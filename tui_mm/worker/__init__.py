"""The training process: a trainer, a run folder, and what a person asks of them in between."""
