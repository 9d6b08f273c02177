"""The description of every call, for programs and for people."""
