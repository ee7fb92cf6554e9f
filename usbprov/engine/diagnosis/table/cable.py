"""Symptoms at the cable and in the phone: USB, PHN, and the steps that work on the phone."""

from usbprov.engine.diagnosis.model import Cause, Symptom, When, saying
from usbprov.engine.diagnosis.table.publishing import PHONE_CLOCK_WRONG, STORAGE_FAULTY
from usbprov.errors import AmbiguousPhone, PhoneBusy, PhoneChanged, SlotOccupied

NO_CABLE = Cause(
    "phone-not-there",
    "The cable is not in, the phone is off or still booting, or the cable only charges.",
    "`usbprov list --watch` shows the phone as soon as the computer sees it; `lsusb` does not either.",
    "Plug it in and wait for it to boot (two minutes with Ethernet power); use a cable with data lines.",
    known=("16",),
)
OTHER_BUS = Cause(
    "phone-on-other-bus",
    "The phone is on a bus that was not searched: of another computer, or a serial line.",
    "`usbprov list --bus …` with that bus shows it.",
    "Name the bus: --bus usbip://HOST:PORT or --bus tty:/dev/ttyS0.",
)
CONTROLLER_FULL = Cause(
    "controller-full",
    "The USB controller has no room for one more device.",
    "`usbprov check bus` counts addresses, endpoints and slots; the kernel says `not enough host controller resources`.",
    "Plug the phone into a port of another controller, or take others away.",
)
SAME_SERIAL = Cause(
    "serial-not-unique",
    "Several phones have the same serial number, as some firmware gives all of them.",
    "`usbprov list` shows it at several port paths.",
    "Name the phone by its port path (1-1.4.2).",
)
NOT_NAMED = Cause(
    "phone-not-named",
    "Several phones are attached, and none was named.",
    "`usbprov list` shows them.",
    AmbiguousPhone.remedy,
)
MODEM_MANAGER = Cause(
    "modem-manager",
    "ModemManager probes the new serial port, for up to 30 seconds.",
    "It happens right after plugging in, and passes; `usbprov check host` names ModemManager.",
    "Wait; `sudo usbprov udev install` installs the rule that keeps ModemManager off.",
)
OTHER_PROGRAM = Cause(
    "phone-in-use",
    "Another program, or another usbprov, has the phone open.",
    "The message names it where the system tells; `usbprov check host` looks for those that are known.",
    PhoneBusy.remedy,
)
NO_RULE = Cause(
    "udev-rule-missing",
    "The udev rule that lets users open phones is not installed.",
    "`usbprov check host` says so.",
    "`sudo usbprov udev install`, then plug the phone in again.",
)
NO_SEAT = Cause(
    "no-seat",
    "This session (SSH, container, service) has no seat, so the rule gives it no rights.",
    "At the computer's own desktop it works; `usbprov check host` says which group has the right.",
    "Add the user to that group (sudo usermod -aG plugdev USER), and log in anew.",
)
CABLE_BAD = Cause(
    "cable-bad",
    "Cable, plug or hub is bad.",
    "Other phones fail at this port, or this phone at no other; the kernel's log has errors of the port.",
    "Use another cable, and a port directly on the computer.",
)
PHONE_RESTARTED = Cause(
    "phone-restarted",
    "The phone restarted or lost power, as with Ethernet power that is switched off.",
    "Its display shows that it boots; it comes back at the same port path.",
    "Wait until it is back and repeat: the job goes on where it stopped.",
)
HUB_POWER = Cause(
    "hub-power",
    "The hub lost power or has too little for all that is attached to it.",
    "Several phones vanish together; `usbprov check bus` shows the hub.",
    "Use a hub with its own supply; plug fewer phones into it.",
)
FIRMWARE_HUNG = Cause(
    "firmware-hung",
    "The phone's firmware is busy or hung.",
    "It answers again after a restart.",
    "Restart the phone and repeat; look at its firmware version with `usbprov info`.",
)
FIRMWARE_FAULTY = Cause(
    "firmware-faulty",
    "The phone's firmware is faulty or speaks another revision of its protocol.",
    "Other phones of the model with other firmware do not fail.",
    "Update the firmware, and report this with its version.",
)
NOT_GENUINE = Cause(
    "device-not-genuine",
    "The device is not what it says.",
    "Its descriptors (`usbprov describe`) differ from those of other phones of the model.",
    "Do not provision a device that you do not trust.",
)
PROVISIONED_BEFORE = Cause(
    "provisioned-before",
    SlotOccupied.cause,
    "`usbprov info` shows for whom its certificate is.",
    "Add --replace for a new credential; with --key existing it keeps its key.",
)
SLOW_KEY = Cause(
    "key-too-slow",
    "The phone is too slow for this key size, or lacks randomness or memory.",
    "After a restart, or with 2048 bits, it succeeds.",
    "Repeat with --key-bits 2048; else --key host makes the key on this computer.",
)
SWAPPED = Cause(
    "phones-swapped",
    PhoneChanged.cause,
    "The message has both serial numbers.",
    "Attach the phone with which the job began and repeat. Nothing was written to this one.",
)
OTHER_KEY_COMMITTED = Cause(
    "key-and-certificate-differ",
    "The key in the phone is not the one that was certified: another tool made a new one meanwhile.",
    "`usbprov info` shows another pending key than the job's.",
    "Repeat with --replace for a new key and certificate; the old credential still works.",
)
LPE = Cause(
    "lpe-no-public-protocol",
    "It is a Lync Phone Edition phone: what its cable needs to take a key was never published.",
    "`usbprov list` shows model and driver.",
    "Sign it in over its own network by PIN; `usbprov discover` and `usbprov check phone-bootstrap` try that beforehand.",
    known=("13", "T1", "T4"),
)
LPE_FIRMWARE = Cause(
    "lpe-firmware-old",
    "Its firmware may be too old for the servers.",
    "Menu, System Information: versions before 4.0.7577.4363 are not supported by newer servers.",
    "Update it through the Web Services' device update (Get-CsDeviceUpdateRule).",
    known=("27", "T12"),
)

SYMPTOMS = (
    Symptom("no-phone", "USB-01", "No phone is attached", (NO_CABLE, OTHER_BUS, CONTROLLER_FULL)),
    Symptom(
        "phone-ambiguous-serial",
        "USB-03",
        "A serial number fits several phones",
        (SAME_SERIAL,),
        When(words=saying(r"^serial:")),
    ),
    Symptom("phone-ambiguous", "USB-03", "Several phones are attached", (NOT_NAMED,)),
    Symptom(
        "phone-busy-modem",
        "USB-05",
        "ModemManager holds the phone's serial port",
        (MODEM_MANAGER, OTHER_PROGRAM),
        When(words=saying(r"ModemManager")),
    ),
    Symptom(
        "phone-busy",
        "USB-05",
        "Another program holds the phone",
        (OTHER_PROGRAM, MODEM_MANAGER),
    ),
    Symptom("phone-denied", "USB-06", "The phone may not be opened", (NO_RULE, NO_SEAT)),
    Symptom(
        "phone-gone",
        "USB-07",
        "The phone vanishes from the bus",
        (PHONE_RESTARTED, CABLE_BAD, HUB_POWER),
    ),
    Symptom(
        "job-interrupted",
        "JOB-01",
        "The phone went while a job ran",
        (PHONE_RESTARTED, CABLE_BAD, HUB_POWER),
        When(words=saying(r"unplugged|lost power|failed|did not answer")),
    ),
    Symptom(
        "phone-silent",
        "USB-08",
        "The phone does not answer a command",
        (FIRMWARE_HUNG, CABLE_BAD, FIRMWARE_FAULTY),
    ),
    Symptom(
        "link-broken", "USB-09", "A USB transfer fails", (CABLE_BAD, HUB_POWER, FIRMWARE_FAULTY)
    ),
    Symptom(
        "protocol-broken",
        "PHN-01",
        "The phone breaks its protocol",
        (FIRMWARE_FAULTY, CABLE_BAD, NOT_GENUINE),
    ),
    Symptom("slot-occupied", "PHN-03", "The slot is occupied", (PROVISIONED_BEFORE,)),
    Symptom(
        "key-generation", "PHN-04", "The phone could not make its key", (SLOW_KEY, FIRMWARE_FAULTY)
    ),
    Symptom(
        "transfer-corrupt",
        "PHN-06",
        "An object arrives damaged",
        (CABLE_BAD, FIRMWARE_FAULTY),
    ),
    Symptom(
        "commit-clock",
        "PHN-07",
        "The phone refuses the credential for its validity",
        (PHONE_CLOCK_WRONG, OTHER_KEY_COMMITTED),
        When(words=saying(r"valid|clock|expired")),
    ),
    Symptom(
        "commit-mismatch",
        "PHN-07",
        "The phone finds that key and certificate do not belong together",
        (OTHER_KEY_COMMITTED, PHONE_CLOCK_WRONG),
    ),
    Symptom("phone-changed", "PHN-08", "Another phone is at the port", (SWAPPED,)),
    Symptom(
        "lpe-phone", "PHN-09", "A Lync Phone Edition phone is at the cable", (LPE, LPE_FIRMWARE)
    ),
    Symptom(
        "possession-unproved",
        "CHK-03",
        "The phone does not prove that it holds the key",
        (OTHER_KEY_COMMITTED, STORAGE_FAULTY, NOT_GENUINE),
    ),
)
