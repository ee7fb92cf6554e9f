"""Installing, removing and checking the udev rules, in folders of the test's own."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from usbprov.checks import CheckResult, Verdict
from usbprov.cli.main import run
from usbprov.errors import ExitCode, RulesNotChanged
from usbprov.usb import udev_files
from usbprov.usb.matching import UsbMatch
from usbprov.usb.udev_files import (
    SEARCHED,
    Ran,
    check_rules,
    install,
    lint,
    load,
    run_program,
    uninstall,
)
from usbprov.usb.udev_rules import RulesFile, rules_files

FILES = rules_files({"made": [UsbMatch(vendor_id=0x1209, product_id=1)]})
NAMES = [file.name for file in FILES]


class Udevadm:
    """Answers as told, by the word after ``udevadm``; None stands for no such program."""

    def __init__(self, **answers: Ran | None) -> None:
        self.answers = answers
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str]) -> Ran | None:
        self.commands.append(command)
        return self.answers.get(command[1], Ran(0, ""))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def verdicts(results: Sequence[CheckResult]) -> dict[str, Verdict]:
    return {result.name: result.verdict for result in results}


def checked(*folders: Path) -> list[CheckResult]:
    return list(check_rules(FILES, folders))


def test_what_is_installed_is_found_right(tmp_path: Path) -> None:
    done = install(FILES, tmp_path)
    assert [line.rpartition(" is ")[2] for line in done] == ["written", "written"]
    assert names_in(tmp_path) == NAMES
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}
    assert set(verdicts(checked(tmp_path)).values()) == {Verdict.GOOD}


def test_to_install_twice_changes_nothing(tmp_path: Path) -> None:
    install(FILES, tmp_path)
    before = [path.stat().st_ino for path in sorted(tmp_path.iterdir())]
    assert all("already" in line for line in install(FILES, tmp_path))
    assert [path.stat().st_ino for path in sorted(tmp_path.iterdir())] == before


def test_an_older_file_of_ours_is_replaced(tmp_path: Path) -> None:
    install([RulesFile(file.name, file.text + "# more\n") for file in FILES], tmp_path)
    assert set(verdicts(checked(tmp_path)).values()) == {Verdict.BAD}
    install(FILES, tmp_path)
    assert set(verdicts(checked(tmp_path)).values()) == {Verdict.GOOD}


@pytest.mark.parametrize("change", [install, uninstall])
def test_a_file_that_is_not_ours_stays_and_so_does_all_else(tmp_path: Path, change: object) -> None:
    (tmp_path / NAMES[1]).write_text("# somebody's\n")
    with pytest.raises(RulesNotChanged, match=r"70-usbprov\.rules.*did not write") as caught:
        change(FILES, tmp_path)  # type: ignore[operator]
    assert caught.value.exit_code == ExitCode.REFUSED
    assert names_in(tmp_path) == [NAMES[1]]
    assert (tmp_path / NAMES[1]).read_text() == "# somebody's\n"


def test_uninstall_removes_what_install_wrote_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "10-other.rules").write_text("")
    install(FILES, tmp_path)
    assert all(line.endswith("is removed") for line in uninstall(FILES, tmp_path))
    assert names_in(tmp_path) == ["10-other.rules"]
    assert all(line.endswith("was not there") for line in uninstall(FILES, tmp_path))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RulesNotChanged, match="has this system udev"):
        install(FILES, tmp_path / "none")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(udev_files, "write_whole", refuse)
    with pytest.raises(RulesNotChanged, match="Permission denied") as caught:
        install(FILES, tmp_path)
    assert "sudo" in caught.value.remedy
    assert names_in(tmp_path) == []


def test_the_first_folder_counts_and_an_empty_file_switches_the_rules_off(tmp_path: Path) -> None:
    etc, lib = tmp_path / "etc", tmp_path / "lib"
    etc.mkdir()
    lib.mkdir()
    install(FILES, lib)
    assert set(verdicts(checked(etc, lib)).values()) == {Verdict.GOOD}
    (etc / NAMES[1]).symlink_to("/dev/null")
    (result,) = [r for r in checked(etc, lib) if r.verdict is Verdict.BAD]
    assert "is empty" in result.seen
    assert result.remedy == f"sudo rm {etc / NAMES[1]}"


def test_missing_rules_tell_how_to_install_them(tmp_path: Path) -> None:
    for result in checked(tmp_path):
        assert (result.verdict, result.remedy) == (Verdict.BAD, "sudo usbprov udev install")


@pytest.mark.parametrize(
    ("name", "late"), [("99-usbprov.rules", True), ("51-usbprov-old.rules", False)]
)
def test_an_old_file_of_another_name_is_found(tmp_path: Path, name: str, late: bool) -> None:
    install(FILES, tmp_path)
    (tmp_path / name).write_text("")
    (result,) = [r for r in checked(tmp_path) if r.verdict is Verdict.BAD]
    assert name in result.seen
    assert ("73-seat-late.rules" in result.cause) is late
    assert result.remedy.startswith(f"sudo rm {tmp_path / name}; ")


def test_udev_loads_the_rules_and_applies_them_without_starting_others() -> None:
    udevadm = Udevadm()
    assert load(udevadm) == ("udev has read the rules and applied them to what is attached",)
    assert udevadm.commands[0] == ("udevadm", "control", "--reload")
    triggers = [command for command in udevadm.commands if command[1] == "trigger"]
    assert all("--action=change" in command for command in triggers)
    # All terminals would get the rights of those at which nobody is logged in.
    assert all("--property-match=ID_BUS=usb" in c for c in triggers if "tty" in c[3])


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"control": None}, "no udevadm"),
        ({"control": Ran(1, "")}, "udev does not run"),
        ({"trigger": Ran(1, "")}, "plug phones"),
    ],
)
def test_without_udev_it_is_said_when_the_rules_count(
    answers: dict[str, Ran | None], words: str
) -> None:
    (said,) = load(Udevadm(**answers))
    assert words in said


def test_udev_verifies_the_installed_files(tmp_path: Path) -> None:
    install(FILES, tmp_path)
    udevadm = Udevadm()
    assert lint(FILES, [tmp_path], udevadm).verdict is Verdict.GOOD
    assert udevadm.commands == [
        ("udevadm", "verify", "--no-summary", *(str(tmp_path / name) for name in NAMES))
    ]


def test_what_udev_says_of_our_lines_is_shown_and_of_others_not(tmp_path: Path) -> None:
    install(FILES, tmp_path)
    path = tmp_path / NAMES[1]
    said = f"/etc/x.rules:3 Invalid\n{path}:7 Unknown group 'plugdev', ignoring\nReading {path}\n"
    result = lint(FILES, [tmp_path], Udevadm(verify=Ran(1, said)))
    assert result.verdict is Verdict.BAD
    assert result.seen == f"{path}:7 Unknown group 'plugdev', ignoring"


OLD = Ran(1, "Unknown command verb verify.")


def test_an_old_udevadm_is_asked_in_the_old_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(udev_files, "SEARCHED", (tmp_path,))
    install(FILES, tmp_path)
    said = f'{tmp_path / NAMES[0]}:5: GOTO="x" has no matching label, ignoring'
    udevadm = Udevadm(verify=OLD, test=Ran(0, said))
    assert lint(FILES, [tmp_path], udevadm).seen == said
    assert udevadm.commands[-1][:2] == ("udevadm", "test")


def test_an_old_udevadm_cannot_read_other_folders(tmp_path: Path) -> None:
    install(FILES, tmp_path)
    assert lint(FILES, [tmp_path], Udevadm(verify=OLD)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("answers", "installed"),
    [({"verify": None}, True), ({"verify": Ran(1, "")}, True), ({}, False)],
    ids=["no udevadm", "it fails", "no file"],
)
def test_no_opinion(tmp_path: Path, answers: dict[str, Ran | None], installed: bool) -> None:
    if installed:
        install(FILES, tmp_path)
    assert lint(FILES, [tmp_path], Udevadm(**answers)).verdict is Verdict.UNKNOWN


def test_programs_are_run_and_not_there() -> None:
    assert run_program(("sh", "-c", "echo out; echo err >&2; exit 3")) == Ran(3, "out\nerr\n")
    assert run_program(("no-such-program-anywhere",)) is None


def test_udev_looks_where_it_looks() -> None:
    assert [str(folder) for folder in SEARCHED][:2] == [
        "/etc/udev/rules.d",
        "/run/udev/rules.d",
    ]


# --- the commands


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--dir", str(tmp_path)]
    assert run(["udev", "check", *at]) == ExitCode.CHECK
    assert "sudo usbprov udev install" in capsys.readouterr().out
    assert run(["udev", "install", *at]) == ExitCode.DONE
    assert "70-usbprov.rules is written" in capsys.readouterr().out
    assert run(["udev", "check", *at, "--json"]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["outcome"] == "good"
    assert [c["verdict"] for c in document["checks"]][:2] == ["good", "good"]
    assert run(["udev", "uninstall", *at]) == ExitCode.DONE
    assert names_in(tmp_path) == []


def test_print_is_what_is_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["udev", "install", "--dir", str(tmp_path)])
    capsys.readouterr()
    assert run(["udev", "print", "70-usbprov.rules"]) == ExitCode.DONE
    assert capsys.readouterr().out == (tmp_path / "70-usbprov.rules").read_text()
    assert run(["udev", "print"]) == ExitCode.DONE
    assert "60-usbprov.rules" in capsys.readouterr().out
    assert run(["udev", "print", "99-usbprov.rules"]) == ExitCode.USAGE
