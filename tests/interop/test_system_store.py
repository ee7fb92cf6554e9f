"""An old phone learns to verify the lab from this computer's own store of roots.

The store is the operating system's, with the lab's root put in by ``openssl``'s own rules, in a
mount namespace that only the program sees.
"""

import json
import subprocess
from pathlib import Path

from networks import need
from processes import PATIENCE, STARTED, station


def test_from_the_system_s_store(tmp_path: Path) -> None:
    need("unshare", "mount", "openssl")
    with station(tmp_path, options=["--personality", "old-roots"]) as at:
        at.program = STARTED  # which sees the same files as its parent
        store = tmp_path / "certs"
        store.mkdir()
        (store / "lab.pem").write_bytes(Path(at.facts["ca_file"]).read_bytes())
        subprocess.run(["openssl", "rehash", str(store)], check=True)
        url = ("--web-services-url", at.facts["web_services_url"])

        def trust(command: str) -> tuple[int, dict[str, object]]:
            program = at.command("trust", command, "--json", *url)
            script = 'mount --bind "$1" /etc/ssl/certs && shift && exec "$@"'
            ended = subprocess.run(
                ["unshare", "--mount", "sh", "-c", script, "sh", str(store), *program],
                capture_output=True,
                text=True,
                env=at.environment,
                timeout=PATIENCE,
                check=False,
            )
            return ended.returncode, json.loads(ended.stdout)

        assert at.run("trust", "plan", "--json", *url).code == 6, "without it nobody vouches"
        code, installed = trust("install")
        assert (code, installed["outcome"]) == (0, "installed")
        code, again = trust("install")
        assert (code, again["outcome"]) == (0, "already-trusted")
        assert all(server["trusted"] for server in again["servers"])
