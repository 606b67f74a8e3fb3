"""The lectures' exercises, each run with the real engine. What is known and kept of them knows no torch."""
