"""What outsiders may rely on: the wire types and the market file."""
