"""Pure adapters: a request out, an answer in, no socket."""
