"""The names of tlslite-ng that are used: nothing else of it is, and no other file imports it."""

import warnings

with warnings.catch_warnings():  # it imports asyncore, which Python has deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from tlslite.constants import AlertDescription, CipherSuite, GroupName
    from tlslite.errors import TLSIllegalParameterException, TLSLocalAlert, TLSRemoteAlert
    from tlslite.handshakesettings import HandshakeSettings
    from tlslite.keyexchange import AECDHKeyExchange
    from tlslite.recordlayer import RecordLayer
    from tlslite.tlsconnection import TLSConnection
    from tlslite.utils.aes import AES
    from tlslite.utils.cipherfactory import createAES as create_aes  # noqa: N813 - a function
    from tlslite.utils.rsakey import RSAKey
    from tlslite.x509 import X509
    from tlslite.x509certchain import X509CertChain

__all__ = [
    "AES",
    "X509",
    "AECDHKeyExchange",
    "AlertDescription",
    "CipherSuite",
    "GroupName",
    "HandshakeSettings",
    "RSAKey",
    "RecordLayer",
    "TLSConnection",
    "TLSIllegalParameterException",
    "TLSLocalAlert",
    "TLSRemoteAlert",
    "X509CertChain",
    "create_aes",
]
