"""Market state in Valkey: claims, caps, holds, idempotency; changed only by the .lua files here."""
