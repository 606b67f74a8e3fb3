"""The engine: a trainer that yields events. Knows no files and no terminal."""
