"""Every numbered refusal of the lab: id and words, in one table.

28020 and its words were seen from real servers. The others are the lab's choice within the
family 28000 of Web authentication: the real list, [MS-OCER] 7.22, is not publicly readable.
"""

from enum import Enum


class Carrier(Enum):
    """What a refusal travels in."""

    FAULT = "SOAP fault"
    HTTP = "HTTP status and X-Ms-diagnostics"
    ERROR_INFO = "ErrorInfo in a 200"


class Refusal(Enum):
    """Why something is refused: id, words, and what carries them."""

    TOKEN = (28020, "No valid security token.", Carrier.FAULT)
    PIN_LOCKED = (28901, "The PIN of this user is locked.", Carrier.FAULT)
    PIN_UNSET = (28902, "No PIN is set for this user.", Carrier.FAULT)
    PIN_EXPIRED = (28903, "The PIN of this user has expired.", Carrier.FAULT)
    NUMBER_SHARED = (
        28904,
        "Several users share this phone number and PIN; the extension is needed.",
        Carrier.FAULT,
    )
    METHOD_OFF = (
        28905,
        "No authentication method configured for the URL in the request.",
        Carrier.HTTP,
    )
    CHAIN_OFF = (28906, "The download of the certificate chain is disabled.", Carrier.HTTP)
    STORE = (
        28911,
        "The data store of the user's home pool is unavailable.",
        Carrier.ERROR_INFO,
    )
    REGISTRAR = (
        28912,
        "The Registrar of the user's home pool is not available.",
        Carrier.ERROR_INFO,
    )
    MALFORMED = (28921, "The request is malformed.", Carrier.ERROR_INFO)
    ENTITY = (
        28922,
        "The entity of the request is not the user of the Web ticket.",
        Carrier.ERROR_INFO,
    )
    DEVICE = (28923, "The device identifier is missing or not valid.", Carrier.ERROR_INFO)
    CSR = (
        28924,
        "The certificate request is malformed or its signature is not valid.",
        Carrier.ERROR_INFO,
    )
    KEY_SIZE = (
        28925,
        "The key of the certificate request is smaller or larger than allowed.",
        Carrier.ERROR_INFO,
    )
    NO_USER = (28926, "The user does not exist.", Carrier.ERROR_INFO)

    def __init__(self, error_id: int, reason: str, carrier: Carrier) -> None:
        self.error_id = error_id
        self.reason = reason
        self.carrier = carrier
