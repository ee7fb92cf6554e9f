"""The table of named faults, and switching them."""

import pytest

from usbprov.errors import LabUnusable
from usbprov.lab.faults import FAULTS, Argument, FaultName, Faults, parse_fault


def test_every_fault_is_in_the_table_with_help():
    assert set(FAULTS) == set(FaultName)
    assert all(kind.help for kind in FAULTS.values())


@pytest.mark.parametrize(
    ("text", "argument"),
    [("html-500", None), ("html-500=3", 3), ("slow=0.25", 0.25), ("expired-cert", None)],
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
        ("html-500=0", "first N requests"),
        ("html-500=1.5", "first N requests"),
        ("expired-cert=1", "no argument"),
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


def test_only_faults_with_times_count_down():
    counted = {name for name, kind in FAULTS.items() if kind.argument is Argument.TIMES}
    assert FaultName.SLOW not in counted
    assert FaultName.DROP_CONNECTION in counted
