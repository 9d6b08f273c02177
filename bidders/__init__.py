"""What a buyer starts from: SDK, reference bidder, simulated fleet."""
