"""The page of a run says what the run measured, needs nothing but itself, and shows text from outside as text."""

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from described_run import EVIL, about
from PIL import Image
from scipy import stats

from fer_exp.reporting.run_page import contents, page

VOID = {"meta", "img", "br", "link"}


class Checker(HTMLParser):
    """Collects tags and texts, and checks that what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("figures", "tables"):
        (tmp_path / name).mkdir()
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "figures" / "training_curves.png")
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "figures" / f"{EVIL.replace('/', '_')}.png")
    exported = {
        "file": ["int8.tflite"], "accuracy": [0.5], "agreement": [0.75], "size_mb": [1.25], "latency_ms_p50": [0.5],
        "latency_ms_p95": [0.75], "withheld": [EVIL],
    }  # fmt: skip
    pd.DataFrame(exported).to_csv(tmp_path / "tables" / "exports.csv", index=False)
    pd.DataFrame({"layer": [EVIL], "kept": [0.123456789]}).to_csv(tmp_path / "tables" / "pruning.csv", index=False)
    pd.DataFrame({"row": range(500)}).to_csv(tmp_path / "tables" / "long.csv", index=False)
    pd.DataFrame({"row": range(5)}).to_csv(tmp_path / "tables" / "predictions.csv", index=False)
    log = "[2026-01-01 00:00:00,000][fer_exp.assembly][WARNING] the backbone is random\n[x][y][INFO] all is well\n"
    (tmp_path / "fer_exp.log").write_text(log)
    return tmp_path


def test_text_from_outside_stays_text_and_nothing_is_loaded(folder: Path) -> None:
    text = page.write(folder, about())
    assert (folder / "report.html").read_text() == text
    checker = Checker(text)
    assert "script" not in {name for name, _ in checker.tags}
    assert not any(key.startswith("on") for _, attributes in checker.tags for key in attributes)
    addresses = [v for _, a in checker.tags for k, v in a.items() if k in ("src", "href", "srcset", "action")]
    assert len(addresses) == 2
    assert all(str(address).startswith("data:image/") for address in addresses)
    assert not re.search(r"url\(|@import", text)
    (policy,) = [a["content"] for _, a in checker.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy).startswith("default-src 'none'")
    assert checker.text.count(EVIL) >= 8  # name (twice), device, data, class in four tables, withheld, layer


def test_the_page_says_what_was_measured(folder: Path) -> None:
    text = Checker(page.write(folder, about())).text
    flat = " ".join(text.split())
    assert "Test accuracy 75.0 % 95 % interval 30.1 to 95.4" in flat
    assert "1,234,567 parameters, 2.5 M multiply-adds an image" in flat
    assert "kept epoch 3 of 5" in flat
    assert "duration 3 min 20 s" in flat
    assert "f" * 64 in flat
    low, high = stats.binomtest(2, 3).proportion_ci(0.95, method="wilson")
    interval = f"{100 * low:.1f} to {100 * high:.1f}"
    assert f"angry 100.0 % 66.7 % {interval} 80.0 % 3" in flat  # precision, recall and its interval, F1, images
    assert "sad – – – – 0" in flat
    assert "int8.tflite 50.00 % 75.00 % 1.25 0.50 / 0.75" in flat
    assert "python -m fer_exp reproduce=abc" in flat


def test_notes_of_the_data_and_warnings_come_first(folder: Path) -> None:
    assert contents.notes(folder, about(reproduces="b" * 32)) == [
        "data: corrections excluded_from_train = 12",
        f"this run repeats run {'b' * 32}",
        "the backbone is random",
    ]


def test_small_tables_are_shown_and_long_ones_are_not(folder: Path) -> None:
    (shown,) = contents.others(folder)
    assert (shown.title, shown.rows) == ("Pruning", ((EVIL, "0.1235"),))


def test_figures_without_room_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page.pictures, "collect", lambda folder: ([], ["roc.png"]))
    assert "no room here for these figures of the run: roc.png" in Checker(page.write(folder, about())).text


def test_a_run_without_exports_has_no_empty_section(folder: Path) -> None:
    (folder / "tables" / "exports.csv").unlink()
    titles = [part.title for part in page.sections(folder, about(), [])]
    assert titles == ["Classes", "Confusions", "Data", "More tables"]


def test_the_page_fits_phones_and_dark_screens(folder: Path) -> None:
    text = page.write(folder, about())
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text
    assert "prefers-color-scheme: dark" in text
    tables = [name for name, attributes in Checker(text).tags if attributes.get("class") == "scroll"]
    assert len(tables) == text.count("<table>") == 5


def test_a_confusion_matrix_is_scrolled_on_a_phone_and_not_made_too_small_to_be_read(folder: Path) -> None:
    text = page.write(folder, about())
    assert 'class="wide"' not in text
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(folder / "figures" / "confusion_matrix_counts.png")
    text = page.write(folder, about())
    wide = [a for name, a in Checker(text).tags if a.get("class") == "wide"]
    assert [(a["tabindex"], a["aria-label"]) for a in wide] == [("0", "Confusion matrix in numbers of images")]
    assert re.search(r"@media \(max-width: 40rem\)[^@]*\.wide img { max-width: none;[^}]*width: 40rem", text, re.DOTALL)


def test_the_time_of_a_continued_run_says_what_it_counts() -> None:
    facts = dict(contents.facts(dataclasses.replace(about(), continued=True)))
    assert facts["duration"] == "3 min 20 s since it was continued"


@pytest.mark.parametrize(("seconds", "words"), [(12.4, "12 s"), (200, "3 min 20 s"), (3900, "1 h 5 min")])
def test_a_duration_is_said_in_words(seconds: float, words: str) -> None:
    assert contents.duration(seconds) == words
