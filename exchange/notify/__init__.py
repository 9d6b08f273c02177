"""Whoever is outside hears what became of what was theirs: written with it, sent beside it."""
