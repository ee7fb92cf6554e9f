"""Recovery: what state a phone is really in, and the shortest safe way to a working one.

``facts`` is what can be known, ``situations`` the table of what it means, ``actions`` what can be
done about it, and ``walk`` goes from the one to the other: all of that is pure. ``look`` gathers
the facts from phone, ledger (``remembered``) and servers; ``repair`` has the runner do the rest.
"""
