"""The wire to the buyers: many small HTTP requests at once, for little more than a kernel costs."""
