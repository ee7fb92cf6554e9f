"""Keys, certificate requests, certificates and chains: DER in, facts out. No I/O."""
