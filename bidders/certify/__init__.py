"""The conformance kit: calls a buyer's endpoint as the exchange would and says what to mend."""
