"""Posting specs: what one seller may send into one campaign, and what one offer's buyer gets."""
