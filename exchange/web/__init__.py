"""The doors over HTTP: routes, guard, answers."""
