"""``usbprov bench check`` without servers: what it finds, how it tells it, how it ends."""

import json

import pytest
from doubles.network import REGISTRAR, URL, MemoryNetwork

from usbprov.bench.asking import ask_about
from usbprov.bench.roster import Roster, RosterEntry
from usbprov.checks import Verdict
from usbprov.cli.main import run
from usbprov.engine.checks.inquiry import Inquiry
from usbprov.engine.order import CredentialOrder
from usbprov.errors import RegistrarUnreachable, SignInRefused, UserNotAllowed, UserUnknown
from usbprov.net.credentials import Way

ALICE = "1001,alice@contoso.test,EMU1,A1\n"


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Run the command in a folder of its own, with this roster and these files."""
    monkeypatch.chdir(tmp_path)

    def run_check(roster, *options, heads="ext,sip,serial,port\n", **files):
        (tmp_path / "users.csv").write_text(heads + roster, "utf-8")
        for name, text in files.items():
            path = tmp_path / name.replace("_", ".")
            path.write_text(text, "utf-8")
            path.chmod(0o600)
        code = run(["bench", "check", "users.csv", *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_check


def check_json(check, *arguments, **files):
    code, out, _ = check(*arguments, "--json", **files)
    return code, json.loads(out)


PINS = '[pins]\n1001 = "720511"\n'
MAP = '[[hub]]\nname = "A"\n[hub.ports]\n"1-1.1" = "A1"\n'


@pytest.mark.parametrize("by", ["serial", "port", "next", "scan"])
def test_a_good_roster(check, by):
    options = ("--assign", by, "--secrets", "pins.toml")
    code, out, err = check(ALICE, *options, pins_toml=PINS, bench_toml=MAP)

    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "The bench can begin with this roster."
    assert "1 users" in out


def test_all_that_is_wrong_is_told_and_the_code_is_that_of_the_roster(check):
    code, out, err = check("1001,alice,EMU1,A1\n1002,b@c.test,emu1,\n", "--assign", "port")

    assert code == 2
    assert "line 2, sip" in out
    assert "line 3 " in out
    assert "--assign port needs a port" in out
    assert "there is no PIN" in out
    assert "4 errors" in out
    assert "ROS-02" in out + err


def test_the_document_has_lines_and_columns(check):
    code, document = check_json(check, "1001,alice,EMU1,A1\n", "--key-in-pins")

    assert (code, document["outcome"], document["error"]["code"]) == (2, "failed", "ROS-02")
    assert document["findings"] == [
        {
            "line": 2,
            "column": "sip",
            "cell": None,
            "error": True,
            "message": "'alice' is no SIP address like sip:alice@contoso.com",
        }
    ]
    assert document["error"]["facts"]["problems"] == [
        "line 2, sip: 'alice' is no SIP address like sip:alice@contoso.com"
    ]


@pytest.mark.parametrize(
    ("roster", "options", "told"),
    [
        ("1001,a@c.test,,\n", ("--assign", "serial"), "needs a serial number or MAC address"),
        ("1001,a@c.test,,A9\n", ("--assign", "port"), "the port map has no port A9"),
        ("1001,a@c.test,,\n", (), "there is no PIN"),
        (",a@c.test,,\n", (), "there is no extension, and a PIN goes with one"),
        ("1001,,,\n", ("--login", "CONTOSO\\e"), "every line needs a SIP address"),
    ],
)
def test_what_a_way_of_working_needs_is_missed(check, roster, options, told):
    code, document = check_json(check, roster, *options, bench_toml=MAP)

    assert code == 2
    assert told in document["error"]["message"]


def test_pins_may_be_keyed_in_or_an_account_prove_all(check):
    assert check(ALICE, "--key-in-pins")[0] == 0
    assert check(ALICE, "--login", "CONTOSO\\enrol")[0] == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--login", "x", "--secrets", "pins.toml"),
        ("--login", "x", "--key-in-pins"),
        ("--password-stdin",),
    ],
)
def test_options_that_contradict_each_other_are_refused(check, options):
    code, _, err = check(ALICE, *options, pins_toml=PINS)

    assert code == 2
    assert "CLI-01" in err


def test_a_secrets_file_that_others_can_read_is_refused(check, tmp_path):
    (tmp_path / "open.toml").write_text(PINS)
    (tmp_path / "open.toml").chmod(0o644)
    code, out, err = check(ALICE, "--secrets", "open.toml")

    assert code == 2
    assert "ROS-03" in err
    assert "720511" not in out + err


def test_pins_are_shown_nowhere(check):
    roster = "1001,a@c.test,720511\n1002,b@c.test,72x522\n"
    code, out, err = check(roster, "--json", heads="ext,sip,pin\n")

    assert code == 2
    assert "72x522" not in out + err
    assert "720511" not in out + err
    assert "the file holds PINs" in out


def test_pins_of_strangers_are_told(check):
    pins = PINS + '1009 = "720599"\n'
    _, out, _ = check(ALICE, "--secrets", "pins.toml", pins_toml=pins)

    assert "pins.toml has 1 PINs of extensions that are not on the roster" in out


class Registrar:
    """Refuses some users, and notes whom it was asked about; ``tells``: also made-up ones."""

    def __init__(self, refusals, tells=True):
        self.refusals = refusals
        self.tells = tells
        self.asked = []

    def challenge(self, user, endpoint):
        if "no-such-user" in user:
            self.stranger = user
            if self.tells:
                raise UserUnknown("s", user, "Not Found")
            return
        self.asked.append(user)
        if user in self.refusals:
            raise self.refusals[user]

    def sign_in(self, user, credential, endpoint):
        raise AssertionError("nobody is signed in by a check of the roster")


def asked(entries, refusals=None, tells=True):
    network = MemoryNetwork()
    network.sip = Registrar(refusals or {}, tells)
    order = CredentialOrder((Way.PIN,), "1001")
    inquiry = Inquiry(network, web_services_url=URL, given_registrar=REGISTRAR, proof=order)
    results = ask_about(Roster("r", tuple(entries)), inquiry, lambda _: None)
    return network, [r for r in results if r.name.startswith(("line", "users", "pins"))]


USERS = [RosterEntry(n, str(1000 + n), f"sip:u{n}@contoso.test") for n in range(2, 6)]


def test_each_user_is_asked_about_and_nothing_secret_is_sent():
    network, (users, pins) = asked(USERS)

    assert network.sip.asked == [user.sip_uri for user in USERS]
    assert users.seen == "the Registrar knows 4 of 4 users"
    assert network.sip.stranger.endswith("@contoso.test")
    assert pins.verdict is Verdict.UNKNOWN
    assert network.web.calls == []


def test_a_registrar_that_asks_everybody_for_a_proof_tells_nothing():
    network, (users, _) = asked(USERS, tells=False)

    assert users.verdict is Verdict.UNKNOWN
    assert "also a made-up user" in users.seen
    assert network.sip.asked == []


def test_users_that_are_refused_are_told_by_line():
    refusals = {
        USERS[0].sip_uri: UserUnknown("s", USERS[0].sip_uri, "Not Found"),
        USERS[1].sip_uri: UserNotAllowed("s", USERS[1].sip_uri, "Forbidden"),
        USERS[2].sip_uri: SignInRefused("s", 480, "Gone"),
    }
    _, results = asked(USERS, refusals)

    assert [(r.name, r.code) for r in results[:3]] == [
        ("line 2", "SIP-07"),
        ("line 3", "SIP-08"),
        ("line 4", "SIP-04"),
    ]
    assert results[3].seen == "the Registrar knows 1 of 4 users"


def test_a_registrar_that_fails_is_not_asked_on():
    network, results = asked(USERS, {USERS[1].sip_uri: RegistrarUnreachable("s", "gone")})

    assert len(network.sip.asked) == 2
    assert [(r.name, r.verdict.value) for r in results[:2]] == [
        ("line 3", "bad"),
        ("users", "unknown"),
    ]
    assert results[1].seen == "not done: 2 users were not asked about"


def test_users_without_an_address_cannot_be_asked_about():
    _, (users, _) = asked([RosterEntry(2, "1001")])

    assert users.seen == "1 users have no SIP address, so nobody can be asked about them"
