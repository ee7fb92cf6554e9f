"""The program is killed (-9) in the middle of the job; a repeat finishes it with the same key."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from processes import Ended, station, wait_for


@pytest.mark.parametrize(
    ("words", "personality"),
    [
        pytest.param("JOB", ("keygen-seconds=1.5",), id="while the phone makes its key"),
        pytest.param("step key done", ("latency=0.05",), id="after the key"),
        pytest.param("step publish done", ("latency=0.05",), id="after the answer"),
        pytest.param("PUT", ("latency=0.05", "small-buffers"), id="during the chunks"),
        pytest.param("COMMIT", ("commit-seconds=1.5",), id="just before the commit"),
        pytest.param("step install done", ("latency=0.1",), id="after the commit"),
    ],
)
def test_a_repeat_goes_on_with_the_same_key(
    tmp_path: Path, words: str, personality: Sequence[str]
) -> None:
    log = tmp_path / "debug.log"
    options = [part for name in personality for part in ("--personality", name)]
    with station(tmp_path, options=options) as running:
        with running.provisioning(log=log) as process:
            wait_for(lambda: log.exists() and words in log.read_text(), f"{words!r} in the log")
            process.kill()
            process.communicate(timeout=60)
        before = running.run("info", "--json").document["slots"][0]
        made = before["pending_key"] or before["active_key"]
        (job,) = running.run("ledger", "list", "--json").document
        again = tmp_path / "again.log"
        with running.provisioning(log=again) as second:
            out, err = second.communicate(timeout=60)
        repeat = Ended(second.returncode, out, err)
        assert repeat.code == 0, repeat.err
        told = repeat.document
        assert told["job"] == job["job"]
        assert told["outcome"] == "provisioned"
        (slot, *_) = running.run("info", "--json").document["slots"]
        (published,) = running.published()
        assert slot["active_certificate"] == published["sha256"] == told["certificate"]["sha256"]
        assert slot["active_key"]["sha256"] == told["certificate"]["key_sha256"]
        assert slot["pending_key"] is None
        if made is None:  # killed while the phone was at it: the same order is given again
            assert words == "JOB"
        else:
            assert slot["active_key"] == made
            assert "KEYGEN" not in again.read_text()
        states = {step["name"]: step["state"] for step in told["steps"]}
        if words in {"step publish done", "PUT", "COMMIT", "step install done"}:
            assert states["ticket"] == states["publish"] == "skipped"
