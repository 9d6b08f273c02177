"""The whole sale under one seed: virtual time, simulated stores, buyers and network, an auditor."""
