"""The rules, pure: no sockets, no clock, no chance of their own, no database."""
