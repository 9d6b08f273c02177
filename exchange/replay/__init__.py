"""Recorded leads, sold once more under another market: what would have come of them."""
