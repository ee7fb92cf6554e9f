"""Descriptors from raw bytes, true and hostile ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.usb.descriptors import (
    ConfigurationDescriptor,
    MalformedDescriptor,
    parse_configuration,
    parse_device,
    total_length,
)

DEVICE = bytes.fromhex("12011002ef020140091201000203010203 01")
HEAD = bytes.fromhex("0902 0000 02 01 00 80 32")
VENDOR = bytes.fromhex("0904000002ff550104")
VENDOR_ALTERNATE = bytes.fromhex("0904000100ff550104")
BULK_OUT = bytes.fromhex("07050102000200")
BULK_IN = bytes.fromhex("07058102000200")
AUDIO = bytes.fromhex("090582050002040203")
COMM = bytes.fromhex("090401000102020000")
FUNCTIONAL = bytes.fromhex("0524001001 04240202")
INTERRUPT = bytes.fromhex("07058203100009")
ASSOCIATION = bytes.fromhex("080b000202020000")


def whole(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return HEAD[:2] + (9 + len(body)).to_bytes(2, "little") + HEAD[4:] + body


TYPICAL = whole(
    ASSOCIATION, VENDOR, BULK_OUT, BULK_IN, VENDOR_ALTERNATE, COMM, FUNCTIONAL, INTERRUPT
)


class TestDevice:
    def test_fields(self):
        device = parse_device(DEVICE)
        assert (device.bcdUSB, device.bDeviceClass, device.bMaxPacketSize0) == (0x0210, 0xEF, 64)
        assert (device.idVendor, device.idProduct, device.bcdDevice) == (0x1209, 0x0001, 0x0302)
        assert (device.iManufacturer, device.iProduct, device.iSerialNumber) == (1, 2, 3)
        assert device.bNumConfigurations == 1
        assert device.port_numbers is None

    @pytest.mark.parametrize("raw", [b"", DEVICE[:17], bytes(18), b"\x12\x02" + DEVICE[2:]])
    def test_refused(self, raw):
        with pytest.raises(MalformedDescriptor):
            parse_device(raw)


class TestConfiguration:
    def test_tree(self):
        configuration = parse_configuration(TYPICAL)
        assert configuration.bNumInterfaces == 2
        assert bytes(configuration.extra_descriptors) == ASSOCIATION
        (vendor, alternate), (comm,) = configuration.interfaces
        assert [e.bEndpointAddress for e in vendor.endpoints] == [0x01, 0x81]
        assert vendor.endpoints[0].wMaxPacketSize == 512
        assert (alternate.bAlternateSetting, alternate.endpoints) == (1, ())
        assert bytes(comm.extra_descriptors) == FUNCTIONAL

    def test_endpoint_by_address(self):
        configuration = parse_configuration(TYPICAL)
        found = configuration.endpoint(0x82)
        assert found is not None
        assert found.bInterval == 9
        assert configuration.endpoint(0x83) is None

    def test_counts_are_those_found_not_those_claimed(self):
        claims_nine = VENDOR[:4] + b"\x09" + VENDOR[5:]
        configuration = parse_configuration(whole(claims_nine, BULK_OUT))
        assert configuration.bNumInterfaces == 1
        assert configuration.interfaces[0][0].bNumEndpoints == 1

    def test_audio_endpoint_has_two_more_bytes(self):
        configuration = parse_configuration(whole(VENDOR, AUDIO))
        (endpoint,) = configuration.interfaces[0][0].endpoints
        assert (endpoint.bRefresh, endpoint.bSynchAddress) == (2, 3)

    def test_bytes_beyond_the_total_length_are_not_looked_at(self):
        assert parse_configuration(whole(VENDOR) + b"\x00\x00").bNumInterfaces == 1

    def test_total_length_beyond_the_bytes_is_forgiven(self):
        raw = TYPICAL[:2] + b"\xff\xff" + TYPICAL[4:]
        assert total_length(raw) == 0xFFFF
        assert parse_configuration(raw).interfaces == parse_configuration(TYPICAL).interfaces

    def test_total_length_0_is_a_configuration_without_interfaces(self):
        assert parse_configuration(HEAD).interfaces == ()

    @pytest.mark.parametrize("size", range(9))
    def test_too_short(self, size):
        with pytest.raises(MalformedDescriptor):
            parse_configuration(TYPICAL[:size])

    def test_truncated_anywhere_is_refused_or_ends_at_a_descriptor(self):
        ends = set()
        for size in range(9, len(TYPICAL)):
            try:
                parse_configuration(TYPICAL[:size])
            except MalformedDescriptor:
                continue
            ends.add(size)
        assert ends == {9, 17, 26, 33, 40, 49, 58, 63, 67}

    @pytest.mark.parametrize(
        "body",
        [
            b"\x00\x04",
            b"\x01\x04",
            b"\x09\x04\x00",
            b"\x05\x04\x00\x00\x00",
            VENDOR + b"\x03\x05\x81",
        ],
    )
    def test_impossible_length(self, body):
        with pytest.raises(MalformedDescriptor):
            parse_configuration(whole(body))

    @given(st.binary(max_size=300))
    def test_any_bytes(self, raw):
        try:
            configuration = parse_configuration(HEAD[:2] + b"\xff\xff" + HEAD[4:] + raw)
        except MalformedDescriptor:
            return
        assert isinstance(configuration, ConfigurationDescriptor)
        assert all(setting for setting in configuration.interfaces)
        flat = [s for settings in configuration.interfaces for s in settings]
        assert all(s.bNumEndpoints == len(s.endpoints) for s in flat)

    @given(st.integers(0, len(TYPICAL) * 8 - 1))
    def test_any_bit_flipped(self, bit):
        raw = bytearray(TYPICAL)
        raw[bit // 8] ^= 1 << bit % 8
        try:
            configuration = parse_configuration(bytes(raw))
        except MalformedDescriptor:
            return
        assert configuration.bLength >= 9
