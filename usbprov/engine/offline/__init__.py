"""Jobs that are prepared where the servers are, and applied where the phone is."""
