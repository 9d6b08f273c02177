"""Several workers as one exchange: sockets, one address for metrics, restarts, replacements."""
