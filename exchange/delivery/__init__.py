"""The full record goes to the winner, and its answer is understood."""
