"""Foreign formats: how a buyer is called and read, and how a seller's own words become ours."""
