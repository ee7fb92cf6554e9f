"""The whole screen as lines: a pure function of what was seen, typed and said."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from usbprov.bench.states import PortState
from usbprov.bench.terminal import words
from usbprov.bench.terminal.area import Area, area_for, area_lines, count_of
from usbprov.bench.terminal.details import detail_lines
from usbprov.bench.terminal.hands import Hands
from usbprov.bench.terminal.looks import LOOKS, Urgency
from usbprov.bench.terminal.seen import Seen
from usbprov.bench.views import PortView

_MOST_OTHERS = 3
_CURSOR = (" ", "reverse")
_FOOT = 2
_KEYS = (
    ("↑↓", "port"),
    ("Enter", "details"),
    ("^R", "retry"),
    ("^K", "skip"),
    ("^F", "find"),
    ("^W", "web"),
    ("^C", "end"),
    ("", "or scan"),
)
_SECRET_KEYS = (("Enter", "gives it"), ("Esc", "leaves it out"))


@dataclass(frozen=True)
class Message:
    """What the board says below the ports.

    Attributes:
        words: One line.
        bad: Whether something went wrong.
    """

    words: str
    bad: bool = False


@dataclass(frozen=True)
class Picture:
    """A screen: its lines, each as wide as the screen, and the ports in their order."""

    lines: tuple[Text, ...]
    labels: tuple[str, ...]


def picture(
    seen: Seen,
    hands: Hands,
    message: Message | None,
    size: tuple[int, int],
    now: datetime,
) -> Picture:
    """Draw the screen.

    Args:
        seen: What is to be shown.
        hands: The chosen port, and what is being typed.
        message: What is said, if anything.
        size: Width in cells, height in lines.
        now: UTC, for how long things have lasted.
    """
    width, height = size
    head = [_filled(line, width) for line in _head(seen, width, now)]
    inner = (width, max(0, height - len(head) - _FOOT))
    area = area_for(seen.ports.values(), inner, hands.chosen)
    body = _body(seen, hands, area, inner, now)
    blank = [_filled(Text(), width) for _ in range(inner[1] - len(body))]
    foot = [_filled(line, width) for line in _foot(seen, hands, message)]
    return Picture(tuple([*head, *body, *blank, *foot][:height]), area.labels)


def _body(
    seen: Seen,
    hands: Hands,
    area: Area,
    size: tuple[int, int],
    now: datetime,
) -> list[Text]:
    view = _chosen(seen, hands)
    if hands.details and view:
        return detail_lines(view, size, now)
    if not seen.ports:
        return [_filled(Text("Plug phones in.", "dim"), size[0])][: size[1]]
    return area_lines(area, size, now, hands.chosen)


def _chosen(seen: Seen, hands: Hands) -> PortView | None:
    return seen.ports.get(hands.chosen) if hands.chosen is not None else None


def _head(seen: Seen, width: int, now: datetime) -> Iterator[Text]:
    yield _sums(seen, width, now)
    yield _counts(seen, width)
    elsewhere = seen.elsewhere()
    for name, counts in elsewhere[:_MOST_OTHERS]:
        yield _other(seen, name, counts)
    if len(elsewhere) > _MOST_OTHERS:
        yield Text(f"and {len(elsewhere) - _MOST_OTHERS} benches more", "dim")


def _sums(seen: Seen, width: int, now: datetime) -> Text:
    figures = words.figures(seen.bench) if seen.bench else []
    line = Text.assemble((words.clean(seen.name), "bold"), *(f"  {told}" for told in figures))
    return _with_end(line, f"{now.astimezone():%H:%M}", width)


def _counts(seen: Seen, width: int) -> Text:
    """Signs, numbers and words of each urgency, and how far the roster is."""
    counts = count_of(seen.ports.values())
    told = [_count(urgency, counts[urgency]) for urgency in Urgency if counts[urgency]]
    line = Text("  ").join(told)
    room = min(width - line.cell_len - 2, 48)
    return _with_end(line, _bar(seen, room), width)


def _count(urgency: Urgency, count: int) -> Text:
    look = LOOKS[urgency]
    return Text(f"{look.sign} {count} {look.count}", look.style)


def _bar(seen: Seen, room: int) -> Text:
    """A bar of the roster: ``━━━━━━──── 58 %``; nothing where there is no room for one."""
    if seen.bench is None or not seen.bench.roster or room < 12:
        return Text()
    share = min(seen.bench.done / seen.bench.roster, 1)
    cells = room - len(" 100 %")
    full = int(share * cells)
    return Text.assemble(
        ("━" * full, "green"), ("─" * (cells - full), "dim"), f"{int(share * 100):>4} %"
    )


def _other(seen: Seen, name: str, counts: Counter[str]) -> Text:
    told = [f"{count} {state}" for state, count in sorted(counts.items())]
    bench = seen.others.get(name)
    if not told and bench and not bench.absent:
        told = [f"{bench.running} running", f"{bench.failed} failed"]
    if bench and bench.absent:
        told.insert(0, bench.absent)
    return Text.assemble((f"{words.clean(name)}: ", "dim"), (", ".join(told), "dim"))


def _with_end(line: Text, end: Text | str, width: int) -> Text:
    """Put something at the right edge, if there is room between."""
    tail = Text(end) if isinstance(end, str) else end
    space = width - line.cell_len - tail.cell_len
    return Text.assemble(line, " " * space, tail) if space > 0 else line


def _foot(seen: Seen, hands: Hands, message: Message | None) -> Iterator[Text]:
    yield _last_words(hands, _prompt(hands), _said(seen, hands, message))
    yield _keys(hands)


def _last_words(hands: Hands, prompt: Text | None, said: Text) -> Text:
    """What is typed hides what was said, but a question does not hide why it is asked again."""
    if prompt is not None and not hands.line:
        return Text.assemble(prompt, "  ", said)
    return prompt or said


def _prompt(hands: Hands) -> Text | None:
    """What is being typed; of a secret only how long it is."""
    if hands.secret is not None:
        hidden = "•" * len(hands.line)
        return Text.assemble((f"{words.clean(hands.secret)}: ", "bold"), hidden, _CURSOR)
    if hands.line:
        return Text.assemble(("> ", "bold"), hands.line, _CURSOR)
    return None


def _said(seen: Seen, hands: Hands, message: Message | None) -> Text:
    if message is not None:
        return Text(words.clean(message.words), "bold red" if message.bad else "bold")
    view = _chosen(seen, hands) or _last_failed(seen)
    told = words.advice(view) if view else ""
    return Text(f"{words.clean(view.label)}: {told}", "yellow") if view and told else Text()


def _last_failed(seen: Seen) -> PortView | None:
    """Return the port that failed last: whoever chooses none is told what to do there."""
    failed = [v for v in seen.ports.values() if v.state is PortState.FAILED]
    return max(failed, key=lambda view: (view.since, view.number), default=None)


def _keys(hands: Hands) -> Text:
    keys = _KEYS if hands.secret is None else _SECRET_KEYS
    told = (Text.assemble((key, "bold"), " " * bool(key), does) for key, does in keys)
    return Text("  ").join(told)


def _filled(line: Text, width: int) -> Text:
    line.no_wrap = True
    line.truncate(width, overflow="ellipsis", pad=True)
    return line
