"""What is seen from outside: metrics, logs without a person in them, and the event loop's lag."""
