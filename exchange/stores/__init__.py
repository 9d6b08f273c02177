"""The embedded PostgreSQL and Valkey: started, joined and stopped."""
