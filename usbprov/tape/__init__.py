"""The tape: what a job said and heard, already without secrets, and how it is played again.

Whoever talks to the world passes through a port (``ports``, and ``usbprov.phone.taping`` for
cables). Where a recorder is set, the port tells it; where a player is, the port asks it and the
world is left alone; usually there is neither. Secrets are taken out by the port, which alone
knows the structure of what passes: nothing that comes here is to be searched for them.
"""
