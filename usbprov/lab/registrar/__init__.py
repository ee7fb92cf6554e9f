"""The lab's Registrar: SIP over TLS on loopback, with TLS-DSK, NTLM and Kerberos.

It verifies a user's certificate by looking it up in the store of his home pool, as the Registrars
of a real pool do. Nothing of it is shared with the client, ``usbprov.registrar``.
"""
