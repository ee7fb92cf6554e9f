"""A view in words: what both the board and the plain lines say of a port and of the bench."""

import re
from datetime import datetime

from rich.cells import cell_len

from usbprov.bench.states import PortState
from usbprov.bench.terminal.looks import Urgency, urgency_of
from usbprov.bench.views import BenchView, PortView
from usbprov.usb.device_text import shown

_LEAST_REASON = 40
"""Cells in which a reason is understood though its end is cut off."""

PLUG_AGAIN = "plug it in again, at any port"


def clean(text: str) -> str:
    """Make text fit for one line of a terminal: what a device or a file says is foreign."""
    return shown(" ".join(text.split())) or ""


def clock(seconds: float) -> str:
    """Write a duration in at most five places: ``0:42``, ``59:59``, ``1h02``."""
    whole = max(0, int(seconds))
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02}"
    return f"{whole // 3600}h{whole % 3600 // 60:02}"


def remaining(seconds: float) -> str:
    """Write how long something will take, no more exactly than it can be known."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "under a minute left"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02} min left" if hours else f"{rest} min left"


def age(view: PortView, now: datetime) -> str:
    """Write how long a port has been in its state; nothing for an empty one."""
    return "" if view.state is PortState.EMPTY else clock((now - view.since).total_seconds())


def who(view: PortView) -> str:
    """Name whom a port's phone is for, or else the phone."""
    return clean(view.name or view.user.removeprefix("sip:") or view.serial or view.mac)


def what(view: PortView) -> str:
    """Say what a port is at, in a few words: the reason first where there is one."""
    match urgency_of(view):
        case Urgency.FAILED:
            return _trouble(view) or "no reason is known"
        case Urgency.HAND:
            return clean(view.hand) or (PLUG_AGAIN if view.state is PortState.AWAY else "")
        case Urgency.UNPLUG:
            return f"valid until {view.not_after:%Y-%m-%d}" if view.not_after else ""
        case Urgency.EMPTY:
            return ""
        case Urgency.RUNNING:
            return _running(view)


def told_in(view: PortView, cells: int) -> str:
    """Say what a port is at where there is so much room.

    What happened begins with a server's or a phone's name; where that leaves little room for
    the rest, the likely cause says more.
    """
    told, trouble = what(view), view.trouble
    is_cut = cells < _LEAST_REASON and cell_len(told) > cells
    if is_cut and trouble and trouble.cause and urgency_of(view) is Urgency.FAILED:
        return clean(f"{trouble.code} {trouble.cause}")
    return told


def _running(view: PortView) -> str:
    step = view.step if view.percent is None else f"{view.step} {view.percent} %"
    if view.attempt < 2 and view.trouble is None:
        return step
    return f"attempt {view.attempt}: " + "; ".join(filter(None, (step, _trouble(view))))


def _trouble(view: PortView) -> str:
    return f"{view.trouble.code} {clean(view.trouble.what)}" if view.trouble else ""


def advice(view: PortView) -> str:
    """Say what the operator is to do about a port, or ""."""
    if view.trouble and urgency_of(view) is Urgency.FAILED:
        return clean(view.trouble.remedy)
    return what(view) if urgency_of(view) is Urgency.HAND else ""


def figures(bench: BenchView) -> list[str]:
    """Say how far the roster is, how fast it goes, and how long it will take."""
    told = [f"{bench.done} of {bench.roster} done"]
    if bench.per_hour is not None:
        told.append(f"{bench.per_hour:.0f} an hour")
    if bench.left is not None and bench.done < bench.roster:
        told.append(remaining(bench.left))
    return told


def label_order(label: str) -> tuple[tuple[int, int, str], ...]:
    """Sort labels as people do: ``A2`` before ``A10``."""
    parts = re.findall(r"[0-9]+|[^0-9]+", label)
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p.casefold()) for p in parts)
