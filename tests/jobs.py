"""A job for the ledger."""

from usbprov.ledger.records import NewJob

NEW = NewJob(
    phone_serial="EMU0001",
    phone_mac="02:00:5e:00:00:01",
    phone_model="usbprov EP-100",
    port_path="1-1",
    slot=0,
    user=None,
    extension="1001",
    web_services_url="https://pool.contoso.test/",
    registrar=None,
    key_source="phone",
    nonce=b"n" * 16,
)
