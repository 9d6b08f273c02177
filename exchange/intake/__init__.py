"""Every door leads here: what a seller sent becomes one lead, or reasons why not."""
