"""How many people a ping could be about: counted beside the sales, told in timelines and plans."""
