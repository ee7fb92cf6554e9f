"""Finding the Web Services: told by option, by DHCP, by DNS, by LyncDiscover.

``finder.discover`` is the way in. The codecs (``message``, ``option43``, ``option120``) and the
reading of LyncDiscover's documents do no I/O; ``findings`` has every fault that they can name.
The formats are those of RFC 2131, RFC 2132, RFC 3361 and RFC 2782 (``protocol.md`` 1).
"""
