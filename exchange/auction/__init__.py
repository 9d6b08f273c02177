"""Eligible offers are pinged at once, their bids checked and ranked."""
