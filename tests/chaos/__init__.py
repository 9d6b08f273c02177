"""Real crashes: an exchange, its stores, its buyers and a seller, of which anything may be killed.

`python -m tests.chaos --rounds N` breaks things at random moments and compares three books: what
the seller was told, what the buyers received and answered, what the ledger and market state say.
"""
