"""One offer is tried: what would go out to it is shown, and sent where that is asked for."""
