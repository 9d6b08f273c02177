"""Doors in other people's words: what a seller sends as it always did is a native request."""
