"""Symptoms of servers that are not reached, too slow, or failing: WEB-01 to 03, WEB-10, DIR-01."""

from usbprov.engine.diagnosis.model import Cause, Symptom, When, saying

NAME_UNKNOWN = Cause(
    "name-unknown",
    "The server's name is not known to the DNS servers that this computer asks.",
    "The name does not resolve here; the phones' network may have other DNS servers.",
    "Correct the name, or have its A record added. Get-CsService -WebServer shows the names of a pool.",
    known=("1", "7"),
)
SERVICE_STOPPED = Cause(
    "service-stopped",
    "The server is up, but nothing listens at this port.",
    "The connection is refused at once, and other ports of the same server answer.",
    "Start the service (Get-CsWindowsService; for the Web Services also IIS, Get-Website), or correct the port.",
)
SERVER_DOWN = Cause(
    "server-down",
    "The server is down, or the network on the way to it.",
    "None of its ports answers, neither from here nor from another computer.",
    "Start the server or repair the way, then repeat: the job goes on where it stopped.",
    known=("1",),
)
FIREWALL = Cause(
    "firewall",
    "A firewall between here and the server drops the connection.",
    "There is no answer at all instead of a refusal; from the servers' own network it works.",
    "Have 443 (Web Services) and 5061 (Registrar) opened, for the phones' network, too.",
    known=("1",),
)
CONNECTION_BROKEN = Cause(
    "connection-broken",
    "The connection is reset in the middle: the service restarts, or a balancer or inspector ends it.",
    "The IIS log of each front end shows whether the request arrived; if it is in none, look between.",
    "Look for restarts of the application pool in the System log, and except the servers from inspection; then repeat.",
)
SERVER_SLOW = Cause(
    "server-slow",
    "The server is overloaded, or waits for a store or a domain controller that it cannot reach.",
    "Other users of the pool are slow, too; `usbprov check phone-bootstrap` shows the step that takes the time.",
    "Repeat later. If it stays, look at the load of the front ends and at their way to the back-end database.",
)
ANSWER_ENDLESS = Cause(
    "answer-endless",
    "The answer begins and does not end: a proxy or an inspector holds it, or it is not the Web Services.",
    "The answer had begun when the time was up; a slow server does not begin to answer.",
    "Take proxies and inspection out of the way, and look at who answers at this address.",
)
SERVICE_FAILING = Cause(
    "service-failing",
    "The Web ticket service fails before it looks at the request: it does not start, or its settings are wrong.",
    "Every user of this server is told the same; its event log has an entry at this time.",
    "Read the Application and Lync Server event logs of the front end; restart its IIS application pools.",
)
AUTH_TYPE_UNSUPPORTED = Cause(
    "auth-type-unsupported",
    "The Web ticket service does not start, because MobilePreferredAuthType has a value that it does not know.",
    "The event log says so when the service starts.",
    "Set-CsWebServiceConfiguration -MobilePreferredAuthType with a value that the version supports.",
    known=("23",),
)
PART_BEHIND = Cause(
    "part-behind-failing",
    "The certificate service fails at a part behind it, most likely the user store of the home pool.",
    "The ticket was given, only publishing fails; users of other pools are not affected.",
    "Look at the event log of every front end, and at User Services (RTCSRV) and back-end database of the home pool.",
    known=("12",),
)
SERVER_BUSY = Cause(
    "server-busy",
    "More requests come than the Web Services, or a balancer before them, take.",
    "The server says so itself, and does after an outage or when a whole bench begins.",
    "Repeat in a few minutes; the job goes on where it stopped. Work on fewer phones at a time.",
)
DIRECTORY_NAME = Cause(
    "directory-address",
    "The address of the directory is wrong, or LDAP is closed on the way (389 for ldap, 636 for ldaps).",
    "Another LDAP client on this computer does not reach it either.",
    "Correct --ldap-url, or take the roots from a file: --ca-file.",
)

_BROKE = saying(r"broke|closes the connection")
_NAME = saying(r"name is not known")
_REFUSED = saying(r"refuses? the connection|connection refused")

SYMPTOMS = (
    Symptom(
        "web-name-unknown",
        "WEB-01",
        "The name of the Web Services does not resolve",
        (NAME_UNKNOWN, SERVER_DOWN),
        When(words=_NAME),
    ),
    Symptom(
        "web-refused",
        "WEB-01",
        "The connection to the Web Services is refused",
        (SERVICE_STOPPED, SERVER_DOWN, FIREWALL),
        When(words=_REFUSED),
    ),
    Symptom(
        "web-broken",
        "WEB-01",
        "The connection to the Web Services breaks before the answer is there",
        (CONNECTION_BROKEN, SERVICE_FAILING, FIREWALL),
        When(words=_BROKE),
    ),
    Symptom(
        "web-unreachable",
        "WEB-01",
        "No connection to the Web Services comes about",
        (FIREWALL, SERVER_DOWN, SERVICE_STOPPED),
    ),
    Symptom(
        "web-endless",
        "WEB-02",
        "The Web Services begin to answer, and do not end in time",
        (ANSWER_ENDLESS, SERVER_SLOW),
        When(facts={"answering": True}),
    ),
    Symptom(
        "web-slow",
        "WEB-02",
        "The Web Services take the request and do not answer in time",
        (SERVER_SLOW, PART_BEHIND, FIREWALL),
    ),
    Symptom(
        "web-fails-at-publishing",
        "WEB-03",
        "HTTP 500, 502, 503 or 504 when the certificate is asked for",
        (PART_BEHIND, SERVICE_FAILING),
        When(steps=frozenset({"publish"})),
    ),
    Symptom(
        "web-fails",
        "WEB-03",
        "HTTP 500, 502, 503 or 504 before the ticket is there",
        (SERVICE_FAILING, AUTH_TYPE_UNSUPPORTED, PART_BEHIND),
        phrases=("HTTP 500", "HTTP 502", "HTTP 503", "HTTP 504"),
    ),
    Symptom("web-busy", "WEB-10", "The Web Services say that they are too busy", (SERVER_BUSY,)),
    Symptom(
        "directory-unreachable",
        "DIR-01",
        "The directory is not reached over LDAP",
        (DIRECTORY_NAME, SERVER_DOWN, FIREWALL),
    ),
)
