"""The commands as data: strict where the protocol is strict, lenient where it says so."""

from contextlib import suppress
from dataclasses import MISSING, fields

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usbprov_drivers.smp import messages as m
from usbprov_drivers.smp.cbor import decode_map, encode_map
from usbprov_drivers.smp.schema import FieldInvalid, Record, dump_record, load_record

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SHA, NONCE = bytes(32), bytes(16)

EXAMPLES: tuple[Record, ...] = (
    m.Nothing(),
    m.EchoRequest("hello"),
    m.EchoResponse("hello"),
    m.ResetRequest(force=1),
    m.ParametersResponse(4096, 1),
    m.InfoResponse(1, "v", "m", "f", "s", bytes(6), 1, 0xFF, (2048, 4096), 16384, 3, 4096),
    m.KeygenRequest(0, 2048, NONCE, replace=False),
    m.KeygenResponse(1),
    m.KeygenResponse(0, SHA),
    m.JobRequest(1),
    m.JobResponse(m.JobState.RUNNING, 42, NONCE),
    m.JobResponse(m.JobState.FAILED, 99, NONCE, error=17),
    m.CsrRequest(0, "alice@contoso.test"),
    m.PieceResponse(0, 3, SHA, b"abc"),
    m.PutRequest(m.Kind.KEY, 0, 3, SHA, b"abc", 0, NONCE, replace=True),
    m.PutResponse(3),
    m.CommitRequest(m.Kind.CERT, SHA, 0, chain=SHA),
    m.CommitResponse(SHA, SHA),
    m.ListRequest(),
    m.ListResponse(1, (m.Item("key", SHA, m.SlotPart.PENDING, 0, NONCE),), 1),
    m.GetRequest(m.Kind.ROOT, sha=SHA),
    m.ProveRequest(0, NONCE),
    m.EraseRequest(0, "EMU0001/0"),
    m.SignRequest(0, bytes(36)),
    m.Time(1_800_000_000),
    m.ConfigureRequest(0, m.When.COMMIT, clear=True, sip_uri="sip:a@b", web_services_url="https:"),
    m.SettingRequest(0, m.SlotPart.ACTIVE, m.Setting.SIP_URI),
    m.SettingResponse(),
    m.IdentifyRequest(on=True),
)
COMMANDS = [value for value in vars(m).values() if isinstance(value, m.Command)]


CASES = [(example, name) for example in EXAMPLES for name in dump_record(example)]


def label(value: object) -> str:
    return value if isinstance(value, str) else type(value).__name__


def test_every_record_of_every_command_has_an_example() -> None:
    used = {record for c in COMMANDS for record in (c.request, c.answer)}
    assert used <= {type(example) for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=label)
def test_a_record_comes_back_as_it_was(example: Record) -> None:
    assert load_record(type(example), decode_map(encode_map(dump_record(example)))) == example


@pytest.mark.parametrize("example", EXAMPLES, ids=label)
def test_unknown_keys_are_ignored(example: Record) -> None:
    more = dump_record(example) | {"tomorrow": [1, {"x": None}], "": 1.5}
    assert load_record(type(example), decode_map(encode_map(more))) == example


@pytest.mark.parametrize(("example", "name"), CASES, ids=label)
def test_a_value_of_another_type_is_refused(example: Record, name: str) -> None:
    good = dump_record(example)
    wrong_ones: tuple[object, ...] = (
        1.5,
        None,
        True,
        -1,
        "\x1b[31m",
        b"",
        [],
        {},
        2**64,
        "x" * 10_000,
    )
    fitting: dict[str, object] = {
        "on": True,
        "replace": True,
        "clear": True,
        "data": b"",
        "block": b"",
        "items": [],
    }
    for wrong in wrong_ones:
        if name in fitting and fitting[name] == wrong and type(fitting[name]) is type(wrong):
            continue
        with pytest.raises(FieldInvalid, match=name):
            load_record(type(example), good | {name: wrong})


@pytest.mark.parametrize(("example", "name"), CASES, ids=label)
def test_a_missing_field_is_refused_unless_it_is_optional(example: Record, name: str) -> None:
    short = {key: value for key, value in dump_record(example).items() if key != name}
    default = next(f.default for f in fields(example) if f.name == name)
    if default is MISSING:
        with pytest.raises(FieldInvalid, match=f"{name} is missing"):
            load_record(type(example), short)
    else:
        assert getattr(load_record(type(example), short), name) == default


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        (m.PutRequest, "sha", bytes(31)),
        (m.PutRequest, "sha", bytes(33)),
        (m.PutRequest, "nonce", bytes(15)),
        (m.PutRequest, "len", 0),
        (m.PutRequest, "len", m.MAX_OBJECT + 1),
        (m.PutRequest, "data", bytes(m.MAX_OBJECT + 1)),
        (m.PutRequest, "kind", "certificate"),
        (m.PutRequest, "kind", ["cert"]),
        (m.InfoResponse, "serial", "x" * 25),
        (m.InfoResponse, "serial", "a\nb"),
        (m.InfoResponse, "serial", "a\u202eb"),
        (m.InfoResponse, "bits", [1024]),
        (m.InfoResponse, "bits", []),
        (m.InfoResponse, "bits", [2048] * 9),
        (m.InfoResponse, "slots", 0),
        (m.InfoResponse, "rsa_max", 1023),
        (m.JobResponse, "pct", 101),
        (m.ListResponse, "items", [{}]),
        (m.ListResponse, "items", [7]),
        (m.ListResponse, "items", [{"kind": "root", "sha": SHA}] * 513),
        (m.SignRequest, "block", bytes(52)),
        (m.Time, "now", m.MAX_TIME + 1),
    ],
)
def test_values_out_of_their_range_are_refused(
    record: type[Record], field: str, value: object
) -> None:
    example = next(e for e in EXAMPLES if isinstance(e, record))
    with pytest.raises(FieldInvalid, match=field):
        load_record(record, dump_record(example) | {field: value})


@steady
@given(st.sampled_from(EXAMPLES), st.data())
def test_hostile_maps_make_a_record_or_one_kind_of_error(
    example: Record, data: st.DataObject
) -> None:
    value = dump_record(example)
    junk = st.one_of(
        st.integers(), st.text(), st.binary(), st.none(), st.floats(), st.lists(st.integers())
    )
    for name in list(value):
        value[name] = data.draw(junk)
    with suppress(FieldInvalid):
        assert load_record(type(example), value) == load_record(type(example), value)


def test_numbers_are_given_once() -> None:
    numbers = [(command.op, command.group, command.number) for command in COMMANDS]
    assert len(numbers) == len(set(numbers)) == 19


def test_a_private_key_is_not_shown() -> None:
    shown = repr(m.PutRequest(m.Kind.KEY, 0, 6, SHA, b"secret", 0, NONCE, replace=True))
    assert "secret" not in shown
