"""The client side of the Web Services: metadata, tickets, certificates.

``client.WebServices`` is the way in; ``ticket`` has the credentials and the ticket. The formats
are those of [MS-OCAUTHWS], WS-Trust 1.3, WSS 1.1 and XML-Signature (``protocol.md`` 3 to 6).
"""
