"""From the market file's words to the domain's values: each part, once it is known to be right."""
