"""What is kept of a training: run folders, their SQLite store and their checkpoints. Knows no torch."""
