"""The objects of a market file, by what they are; `exchange.contract.market_file` is the whole."""
