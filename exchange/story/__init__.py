"""The story of one lead, from its door to its end; it knows all stations, they do not know it."""
