"""A whole job whose ledger is in PostgreSQL: provisioned, found done, shown, verified."""

import json
import subprocess
from pathlib import Path

from postgres import Cluster
from processes import PATIENCE, PROGRAM, Station, station


def run(at: Station, ledger: str, *arguments: str, typed: str = "") -> dict[str, object]:
    ended = subprocess.run(
        [*PROGRAM, "--bus", at.bus, "--ledger", ledger, *arguments, "--json"],
        input=typed,
        text=True,
        capture_output=True,
        env=at.environment,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    document: dict[str, object] = json.loads(ended.stdout)
    return document


def test_a_phone_is_provisioned_and_its_job_is_on_the_server(
    tmp_path: Path, server: Cluster
) -> None:
    ledger = server.common_database()
    with station(tmp_path) as at:
        pin = at.user()["pin"] + "\n"
        first = run(at, ledger, *at.provision_arguments(), typed=pin)
        again = run(at, ledger, *at.provision_arguments(), typed=pin)
        shown = run(at, ledger, "ledger", "show", "1")
        verified = run(at, ledger, "ledger", "verify")
        assert not at.ledger.exists()
    assert (first["outcome"], again["outcome"]) == ("provisioned", "already-provisioned")
    assert (first["job"], again["job"], shown["state"]) == (1, 1, "done")
    kept = [artifact["kind"] for artifact in shown["artifacts"]]  # type: ignore[attr-defined]
    assert kept == ["request", "certificate"]
    assert int(str(verified["entries"])) > len(kept)
