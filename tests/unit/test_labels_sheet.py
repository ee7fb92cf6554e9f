"""Labels in PDF, as foreign programs read them: poppler draws, zbar decodes the codes."""

import re
import subprocess
from pathlib import Path

import pytest

from usbprov.bench.labels.label import SMALLEST, Label, Size
from usbprov.bench.labels.places import A4, by_page, places_on
from usbprov.bench.labels.sheet import Sheet, as_pdf
from usbprov.errors import UsageError

USUAL = Size(63.5, 38.1)


def label(number: int, name: str = "Zoë Example") -> Label:
    return Label(name, f"{1000 + number}", f"user{number}@contoso.test", f"02005EABCD{number:02X}")


def codes(path: Path, page: int, dpi: int) -> list[str]:
    """Decode every code of a page, drawn at so many dots an inch."""
    drawn = path.with_suffix("")
    draw = ["pdftoppm", "-r", str(dpi), "-png", "-singlefile", "-f", str(page), "-l", str(page)]
    subprocess.run([*draw, str(path), str(drawn)], check=True)
    read = ["zbarimg", "--quiet", "--nodbus", str(drawn.with_suffix(".png"))]
    return sorted(subprocess.run(read, check=True, capture_output=True, text=True).stdout.split())


def words(path: Path) -> str:
    done = subprocess.run(["pdftotext", str(path), "-"], check=True, capture_output=True, text=True)
    return done.stdout


def both(*labels: Label) -> list[str]:
    return sorted(f"{kind}:{one.mac}" for one in labels for kind in ("CODE-128", "QR-Code"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.pdf"


@pytest.mark.parametrize("size", [SMALLEST, Size(62, 29), USUAL, Size(100, 60)], ids=str)
def test_both_codes_can_be_read(path: Path, size: Size) -> None:
    path.write_bytes(as_pdf([label(7)], Sheet(size)))
    assert codes(path, 1, dpi=300) == both(label(7))


def test_a_sheet_of_a4_can_be_read_whole(path: Path) -> None:
    labels = [label(number) for number in range(1, 25)]
    path.write_bytes(as_pdf(labels, Sheet(USUAL, on_a4=True)))
    assert codes(path, 1, dpi=200) == both(*labels[:21])
    assert codes(path, 2, dpi=200) == both(*labels[21:])


def test_the_words_are_there(path: Path) -> None:
    path.write_bytes(as_pdf([label(7)], Sheet(USUAL)))
    shown = words(path)
    for expected in ("Zoë Example", "ext. 1007", "user7@contoso.test", "02:00:5E:AB:CD:07"):
        assert expected in shown


@pytest.mark.parametrize("name", ["x" * 500, "", "\u4e00\u4e8c", "\x1b[2J"])
def test_any_name_can_be_drawn(path: Path, name: str) -> None:
    path.write_bytes(as_pdf([label(7, name)], Sheet(SMALLEST)))
    assert codes(path, 1, dpi=300) == both(label(7))


def test_a_page_is_one_label_of_its_size(path: Path) -> None:
    path.write_bytes(as_pdf([label(1), label(2)], Sheet(Size(62, 29))))
    boxes = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", path.read_bytes())
    assert [tuple(float(n) * 25.4 / 72 for n in box) for box in boxes] == [
        pytest.approx((62, 29), abs=0.01)
    ] * 2


def test_a_font_that_is_none(tmp_path: Path) -> None:
    font = tmp_path / "font.ttf"
    font.write_bytes(b"no font")
    with pytest.raises(UsageError, match=r"font\.ttf"):
        as_pdf([label(1)], Sheet(USUAL, font=font))


def test_places_lie_on_the_sheet_and_apart() -> None:
    places = places_on(A4, USUAL)
    assert len(places) == 21
    assert len({(place.x, place.y) for place in places}) == 21
    for place in places:
        assert 0 <= place.x <= A4.width - USUAL.width
        assert 0 <= place.y <= A4.height - USUAL.height
    assert (places[0].x, places[0].y) == (min(p.x for p in places), max(p.y for p in places))


@pytest.mark.parametrize("skip", [0, 1, 20, 21, 50])
@pytest.mark.parametrize("count", [1, 20, 21, 22, 60])
def test_every_label_has_one_place(count: int, skip: int) -> None:
    places = places_on(A4, USUAL)
    pages = list(by_page(count, places, skip))
    assert [number for page in pages for number, _ in page] == list(range(count))
    assert pages[0][0][1] == places[skip % 21]
    for page in pages:
        assert len({place for _, place in page}) == len(page)
