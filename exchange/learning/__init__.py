"""What campaigns learn from the ledger, beside the sale: one task, nothing on a lead's way."""
