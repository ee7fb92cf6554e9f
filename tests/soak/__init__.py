"""``make soak``: a bench that runs for an hour while phones come and go, and what it costs."""
