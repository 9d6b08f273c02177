"""The routes of the exchange by whose they are."""
