"""The buyers of the exchange's own test offers, inside the worker and behind the real wire."""
