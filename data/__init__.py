"""What is learnt from: word lists, vocabularies, context windows and splits. Knows no models and no terminal."""
