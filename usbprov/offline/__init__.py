"""Jobs that are carried in files: prepared where the servers are, applied where the phone is."""
