"""scripts/bootstrap installs what is missing, nothing else, and says plainly what it cannot do.

It runs here among stand-ins for python3, apt-get, sudo and id, which note how they are called.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bootstrap"
TOOLS = ("sh", "env", "sed", "tr", "fold", "dirname", "cat", "cp", "mkdir", "chmod", "rm")

DEV_TOOLS = {
    "openssl": "openssl",
    "ip": "iproute2",
    "dnsmasq": "dnsmasq-base",
    "kea-dhcp4": "kea-dhcp4-server",
    "slapd": "slapd",
    "krb5kdc": "krb5-kdc",
    "kadmin.local": "krb5-admin-server",
    "kinit": "krb5-user",
    "krb5-config": "libkrb5-dev",
    "gcc": "gcc",
    "pg_ctlcluster": "postgresql",
    "pdftoppm": "poppler-utils",
    "zbarimg": "zbar-tools",
    "chromium": "chromium",
    "/usr/lib/purple-2/libsipe.so": "pidgin-sipe",
    "/usr/include/libpurple/purple.h": "libpurple-dev",
}
NOT_THERE = [p for tool, p in DEV_TOOLS.items() if not Path("/usr/sbin", tool).exists()]
MISSING = " ".join([*NOT_THERE, "python3.11-dev"])
"""The stand-ins hide what is in the PATH; /usr/sbin and whole paths are seen all the same."""

PYTHON = """#!/bin/sh
case "$*" in
    *version_info*sys.exit* | *sys.exit*version_info*) exit {too_old} ;;
    *ensurepip*) [ -e "{root}/has-ensurepip" ] ;;
    *"import pip"*) exit 0 ;;
    *print*) echo 3.11 ;;
    --version) echo "Python 3.11.2" ;;
    "-m venv"*) echo "venv" >> "{root}/calls"; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
    "-m pip"*) echo "pip ${{*#*install }}" >> "{root}/calls" ;;
esac
"""
APT_GET = """#!/bin/sh
echo "apt-get $*" >> "{root}/calls"
case "$*" in *venv*) : > "{root}/has-ensurepip" ;; esac
"""
PASS_ON = '#!/bin/sh\necho "sudo" >> "{root}/calls"\nexec "$@"\n'


class Machine:
    """A project folder and a PATH with nothing on it but stand-ins."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "project" / "scripts").mkdir(parents=True)
        (root / "bin").mkdir()
        shutil.copy(SCRIPT, root / "project" / "scripts")
        for lock in ("requirements.lock", "requirements-dev.lock"):
            (root / "project" / lock).write_text("click==8.1.7 \\\n    --hash=sha256:00\n")
        for tool in TOOLS:
            (root / "bin" / tool).symlink_to(shutil.which(tool))
        self.command("id", "#!/bin/sh\necho 0\n")

    def command(self, name: str, text: str, **values: object) -> None:
        path = self.root / "bin" / name
        path.write_text(text.format(root=self.root, **values))
        path.chmod(0o755)

    def debian(self) -> None:
        self.command("python3", PYTHON, too_old=0)
        self.command("apt-get", APT_GET)
        self.command("apt-cache", "#!/bin/sh\n")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.root / "project" / "scripts" / "bootstrap"), *arguments],
            env={"PATH": str(self.root / "bin"), "POLICY_RC_D": str(self.root / "policy")},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def calls(self) -> list[str]:
        calls = self.root / "calls"
        return calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def pip_calls(lock):
    return [
        f"pip --quiet --no-deps --require-hashes --requirement {lock}",
        "pip --quiet --no-deps --no-build-isolation --editable .",
    ]


def test_a_complete_machine_needs_no_system_package(machine):
    machine.debian()
    (machine.root / "has-ensurepip").touch()
    done = machine.run()

    assert done.returncode == 0, done.stderr
    assert machine.calls() == ["venv", *pip_calls("requirements.lock")]
    assert "click==8.1.7" in done.stdout


def test_for_the_virtual_machine_only_its_tools_are_installed(machine):
    machine.debian()
    machine.command("qemu-system-x86_64", "#!/bin/sh\n")
    done = machine.run("--vm")

    assert done.returncode == 0, done.stderr
    (install,) = machine.calls()
    assert install.startswith("apt-get -qq install -y --no-install-recommends ")
    packages = set(install.split()[4:])
    assert {"cpio", "busybox-static", "zstd"} <= packages
    assert "qemu-system-x86" not in packages
    assert not (machine.root / "project" / ".venv").exists()


def test_servers_that_the_tests_need_are_not_started(machine):
    machine.debian()
    noting = (
        '#!/bin/sh\n[ -x "{root}/policy" ] && sh "{root}/policy" || echo "$?" >> "{root}/held"\n'
    )
    machine.command("apt-get", noting + APT_GET.partition("\n")[2])
    assert machine.run("--dev").returncode == 0
    assert (machine.root / "held").read_text().splitlines() == ["101"]
    assert not (machine.root / "policy").exists()


def test_only_what_is_missing_is_installed(machine):
    machine.debian()
    done = machine.run("--dev")

    assert done.returncode == 0, done.stderr
    install = f"apt-get -qq install -y --no-install-recommends python3.11-venv {MISSING}"
    assert machine.calls() == [install, "venv", *pip_calls("requirements-dev.lock")]
    assert f"python3.11-venv {MISSING}" in done.stdout


def test_package_lists_are_fetched_only_when_they_are_not_there(machine):
    machine.debian()
    machine.command("apt-cache", "#!/bin/sh\nexit 1\n")
    machine.run()

    assert machine.calls()[:2] == [
        "apt-get -qq update",
        "apt-get -qq install -y --no-install-recommends python3.11-venv",
    ]


def test_a_second_run_makes_no_second_environment(machine):
    machine.debian()
    machine.run()
    (machine.root / "calls").unlink()
    machine.run()

    assert machine.calls() == pip_calls("requirements.lock")


def test_sudo_is_used_by_whoever_is_not_root(machine):
    machine.debian()
    machine.command("id", "#!/bin/sh\necho 1000\n")
    machine.command("sudo", PASS_ON)
    done = machine.run()

    assert done.returncode == 0, done.stderr
    assert machine.calls()[0] == "sudo"


def test_without_root_and_sudo_the_command_is_named(machine):
    machine.debian()
    machine.command("id", "#!/bin/sh\necho 1000\n")
    done = machine.run()

    assert done.returncode == 1
    assert "apt-get install python3.11-venv" in done.stderr
    assert machine.calls() == []


def test_without_apt_the_packages_are_named(machine):
    machine.command("python3", PYTHON, too_old=0)
    done = machine.run("--dev")

    assert done.returncode == 1
    assert f"python3.11-venv {MISSING}" in done.stderr
    assert machine.calls() == []


def test_a_failing_apt_stops_with_the_command_to_run(machine):
    machine.debian()
    machine.command("apt-get", "#!/bin/sh\nexit 100\n")
    done = machine.run()

    assert done.returncode == 1
    assert "apt-get install python3.11-venv" in done.stderr


@pytest.mark.parametrize("present", [False, True], ids=["no Python", "an old Python"])
def test_without_a_new_enough_python_it_says_so(machine, present):
    if present:
        machine.command("python3", PYTHON, too_old=1)
    done = machine.run()

    assert done.returncode == 1
    assert "no Python 3.11 or newer" in done.stderr
    assert machine.calls() == []


def test_an_unknown_option_is_a_usage_error(machine):
    done = machine.run("--nonsense")

    assert done.returncode == 2
    assert "Usage" in done.stderr


def test_the_script_is_executable():
    assert os.access(SCRIPT, os.X_OK)
