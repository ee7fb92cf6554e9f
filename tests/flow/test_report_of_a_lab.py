"""The report of phones that were really provisioned agrees with what the lab has published."""

import json
from pathlib import Path

import pytest

from usbprov.cli.main import run
from usbprov.engine.events import StepName
from usbprov.lab.store import published


def test_the_report_agrees_with_the_labs_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["demo", "--phones", "2", "--dir", str(tmp_path)]) == 0
    capsys.readouterr()
    ledger = str(tmp_path / "ledger.sqlite3")
    assert run(["--ledger", ledger, "report", "--shift", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    ours = {(p["user"], p["certificate"]["sha256"]) for p in report["phones"]}
    assert ours == {(entry.sip_uri, entry.sha256) for entry in published(tmp_path)}
    assert len(ours) == report["sums"]["done"] == report["sums"]["at_once"] == 2
    names = [step["name"] for step in report["steps"]]
    assert names == [name for name in StepName if name in names]
    assert {"key", "publish", "sign in"} <= set(names)
    assert run(["--ledger", ledger, "ledger", "verify", "--expect", report["ledger"]["head"]]) == 0
