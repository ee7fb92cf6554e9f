"""The endpoint identity, by the vectors of [MS-SIPRE] and [MS-SIPAE]."""

import pytest

from usbprov.phone.endpoint import Endpoint, endpoint_of


@pytest.mark.parametrize(
    ("epid", "instance"),
    [
        ("01010101", "4b1682a8-f968-5701-83fc-7c6741dc6697"),
        ("2ebb6f264f", "124841e4-264d-52e8-96c5-d22aa8cdc316"),
    ],
)
def test_instance_derives_from_epid(epid: str, instance: str) -> None:
    assert str(Endpoint(epid).instance) == instance


def test_the_epid_is_the_macs_tail() -> None:
    assert endpoint_of("02:00:5E:00:00:01") == endpoint_of("02005e000001") == Endpoint("005e000001")
