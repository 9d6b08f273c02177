"""Feeds: many leads in one stream, split into rows that stand or fall each by itself. No I/O."""
