"""Many trainings of one model shape at once, as one batched model: rates, seeds and other numbers differ."""
