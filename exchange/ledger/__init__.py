"""The truth, in PostgreSQL: moments, money, timelines, leases."""
