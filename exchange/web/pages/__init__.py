"""Pages for people: templates, their assets, and how both are cached; nothing from elsewhere."""
