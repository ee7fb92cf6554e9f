"""Symptoms of answers that cannot be used, and of redirects: WEB-07 and WEB-15."""

from usbprov.engine.diagnosis.model import Cause, Symptom, When, saying

OTHER_ANSWERS = Cause(
    "other-answers",
    "Something else than the Web Services answers at this address: a portal, a proxy, another web site.",
    "Open the URL in a browser: the certificate service shows a page about its WSDL.",
    "Give the URL of the pool's own Web Services (Get-CsService -WebServer), and except it from proxies.",
    known=("1",),
)
ANSWER_DAMAGED = Cause(
    "answer-damaged",
    "The answer is cut off or damaged on the way, by a balancer, a proxy or an inspector.",
    "The address is right: its metadata can be read, only this answer cannot.",
    "Repeat; if it stays, send the request past the balancer, to one front end after the other.",
)
ANSWER_HOSTILE = Cause(
    "answer-hostile",
    "No real server answers so: something at this address, or on the way to it, sends what does harm.",
    "Its certificate is trusted here all the same: find out who holds that name and that certificate.",
    "Do not repeat before it is known who answers. Nothing was taken over from the answer.",
)
ANSWER_MIXED_UP = Cause(
    "answer-mixed-up",
    "The answer belongs to another request: a cache or a balancer between mixes answers up.",
    "Repeated alone, with no other client at work, it succeeds.",
    "Switch caching off for POST at proxy and balancer; the Web Services' answers must never be kept.",
)
CERTIFICATE_SERVICE_FAULTY = Cause(
    "certificate-service-faulty",
    "The certificate service answers with what is not one certificate: it is faulty, or something rewrites it.",
    "A stock client of another computer fails at the same server, too.",
    "Show the message to the administrator; look at the version of the server and at its event log.",
)
SIGN_IN_BROKEN = Cause(
    "sign-in-spread",
    "A balancer spreads the legs of one Windows sign-in over several connections or servers.",
    "At one front end, past the balancer, the sign-in succeeds.",
    "Switch affinity (cookie or source address) and keep-alive on at the balancer.",
    known=("25",),
)
WINDOWS_PORT_OPEN = Cause(
    "windows-port-open",
    "The port for Windows users answers without asking for a sign-in: something else answers, or it is open to all.",
    "The metadata can be read; in IIS, anonymous authentication is on for the directory of this port.",
    "Switch anonymous authentication off there, Windows authentication on; take proxies out of the way.",
)
REDIRECT_LOOP = Cause(
    "redirect-loop",
    "The server redirects to itself without end: a rule of the reverse proxy or of IIS is wrong.",
    "A browser says the same of the URL: too many redirects.",
    "Correct the redirect rule (HTTP Redirect in IIS, the publishing rule of the reverse proxy).",
)
REDIRECT_ELSEWHERE = Cause(
    "redirect-elsewhere",
    "A portal or a balancer sends the request to another host, where nothing of this job may go.",
    "The host that it leads to is in the message. If it is a pool of yours, the user may have moved there.",
    "Give the URL of the user's own pool with --web-services-url (Get-CsUser shows RegistrarPool).",
    known=("32",),
)
MOVED_URL = Cause(
    "url-outdated",
    "The URL is an old one: the Web Services have moved to another name.",
    "Get-CsService -WebServer shows another name than the one that was used.",
    "Correct the URL in the settings and in DHCP option 43.",
    known=("1",),
)

_TO_ITSELF = saying(
    r"no end|redirect by ([^\s:]+)\S* .* to \1\b|status \d+ (?:(?! to ).)*, in answer"
)
"""A redirect without a host stays at the server, too."""

SYMPTOMS = (
    Symptom(
        "answer-hostile",
        "WEB-07",
        "The answer is far too large, a compressed bomb, or has a document type",
        (ANSWER_HOSTILE, OTHER_ANSWERS),
        When(words=saying(r"larger than|document type|more than \d+ tags")),
    ),
    Symptom(
        "answer-damaged",
        "WEB-07",
        "The answer is broken XML, or its compression is damaged",
        (ANSWER_DAMAGED, OTHER_ANSWERS),
        When(words=saying(r"well-formed|UTF-8|cut off|compression|cannot be told apart")),
    ),
    Symptom(
        "answer-mixed-up",
        "WEB-07",
        "The answer is for another request",
        (ANSWER_MIXED_UP, CERTIFICATE_SERVICE_FAULTY),
        When(words=saying(r"another request")),
    ),
    Symptom(
        "answer-no-certificate",
        "WEB-07",
        "The answer holds no certificate, several, or something else",
        (CERTIFICATE_SERVICE_FAULTY, OTHER_ANSWERS),
        When(words=saying(r"certificates? instead|certificate is none|GetAndPublishCertResponse")),
    ),
    Symptom(
        "answer-without-sign-in",
        "WEB-07",
        "The port for Windows users asks nobody to sign in",
        (WINDOWS_PORT_OPEN, OTHER_ANSWERS),
        When(words=saying(r"asks nobody")),
    ),
    Symptom(
        "answer-sign-in-broken",
        "WEB-07",
        "The Windows sign-in is broken off or has no end",
        (SIGN_IN_BROKEN, OTHER_ANSWERS),
        When(words=saying(r"sign-in|token cannot be used")),
    ),
    Symptom(
        "answer-other",
        "WEB-07",
        "The answer is not that of the Web Services",
        (OTHER_ANSWERS, ANSWER_DAMAGED),
    ),
    Symptom(
        "redirect-loop",
        "WEB-15",
        "Redirects without end, or to the very same server",
        (REDIRECT_LOOP, OTHER_ANSWERS),
        When(words=_TO_ITSELF),
    ),
    Symptom(
        "redirect-elsewhere",
        "WEB-15",
        "A redirect to another host",
        (REDIRECT_ELSEWHERE, MOVED_URL, OTHER_ANSWERS),
    ),
)
