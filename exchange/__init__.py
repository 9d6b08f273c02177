"""A real-time ping-post auction exchange for consumer leads."""
