"""The demo: a whole market on one machine, watched while it sells, and checked at its end."""
