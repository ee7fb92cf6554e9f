"""The table of named faults, and switching them."""

from pathlib import Path

import pytest

from usbprov.errors import LabUnusable
from usbprov.lab.faults import FAULTS, Argument, FaultName, Faults, parse_fault
from usbprov.lab.refusals import Refusal


def test_every_fault_is_in_the_table_with_help():
    assert set(FAULTS) == set(FaultName)
    assert all(kind.help for kind in FAULTS.values())


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("html-500", None),
        ("html-500=3", 3),
        ("slow=0.25", 0.25),
        ("clock-skew=-90", -90),
        ("expired-cert", None),
        ("auth-off=pin,windows", "pin,windows"),
    ],
)
def test_a_fault_as_written(text, argument):
    setting = parse_fault(text)
    assert (setting.name.value, setting.argument) == (text.partition("=")[0], argument)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("html500", "did you mean 'html-500'"),
        ("ticket_expired", "did you mean 'ticket-expired'"),
        ("zzz", "there are store-unreachable, "),
        ("slow", "=S: seconds"),
        ("slow=", "=S: seconds"),
        ("slow=fast", "=S: seconds"),
        ("slow=-1", "=S: seconds"),
        ("slow=nan", "=S: seconds"),
        ("html-500=0", "first N times"),
        ("html-500=1.5", "first N times"),
        ("store-flapping=1", "no argument"),
        ("auth-off", "=METHOD"),
        ("auth-off=", "=METHOD"),
        ("auth-off=pin,smoke", "=METHOD"),
        ("clock-skew=inf", "=S: seconds, negative for behind"),
    ],
)
def test_a_fault_that_cannot_be(text, words):
    with pytest.raises(LabUnusable, match=words):
        parse_fault(text)


def test_times_are_used_up():
    faults = Faults([parse_fault("html-500=2")])
    assert faults.is_on(FaultName.HTML_500)
    assert [faults.take(FaultName.HTML_500) for _ in range(4)] == [True, True, False, False]
    assert not faults.is_on(FaultName.HTML_500)


def test_without_times_it_lasts_until_switched_off():
    faults = Faults()
    assert not faults.take(FaultName.DTD)
    faults.switch_on(parse_fault("dtd"))
    assert all(faults.take(FaultName.DTD) for _ in range(9))
    faults.switch_off(FaultName.DTD)
    faults.switch_off(FaultName.DTD)
    assert not faults.take(FaultName.DTD)


def test_every_other_time():
    faults = Faults([parse_fault("store-flapping")])
    turns = [faults.take_turn(FaultName.STORE_FLAPPING) for _ in range(4)]
    assert turns == [True, False, True, False]
    faults.switch_off(FaultName.STORE_FLAPPING)
    assert not faults.take_turn(FaultName.STORE_FLAPPING)


def test_what_is_shared_through_a_file(tmp_path):
    one, other = (Faults(path=tmp_path / "faults.sqlite") for _ in range(2))
    one.switch_on(parse_fault("busy=2"))
    one.switch_on(parse_fault("auth-off=pin,windows"))
    assert other.take(FaultName.BUSY)
    assert one.take(FaultName.BUSY)
    assert not other.is_on(FaultName.BUSY)
    assert other.words(FaultName.AUTH_OFF) == {"pin", "windows"}
    assert other.value(FaultName.AUTH_OFF) is None
    assert other.settings() == [parse_fault("auth-off=pin,windows")]
    other.clear()
    assert one.settings() == []
    assert one.words(FaultName.AUTH_OFF) == frozenset()
    one.close()
    other.close()


def test_switching_anew_counts_anew():
    faults = Faults([parse_fault("busy=2")])
    faults.take(FaultName.BUSY)
    faults.switch_on(parse_fault("busy=2"))
    assert [faults.take(FaultName.BUSY) for _ in range(3)] == [True, True, False]


PAGE = Path(__file__).parents[2] / "docs" / "lab.md"


def rows(heading: str) -> list[list[str]]:
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_has_every_fault():
    told = [[n.value + k.argument.form, k.scope.value, k.help] for n, k in FAULTS.items()]
    assert rows("Faults") == told


def test_the_page_has_every_refusal():
    assert rows("Refusals") == [[str(r.error_id), r.reason, r.carrier.value] for r in Refusal]
    assert len({r.error_id for r in Refusal}) == len(Refusal)


def test_only_faults_with_times_count_down():
    counted = {name for name, kind in FAULTS.items() if kind.argument is Argument.TIMES}
    assert FaultName.SLOW not in counted
    assert FaultName.DROP_CONNECTION in counted
