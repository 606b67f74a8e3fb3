"""What learns: character-level language models over integer contexts. Knows no files and no terminal."""
