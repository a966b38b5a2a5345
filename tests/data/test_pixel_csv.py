"""The csv parser: every variant of the format, the vectorised path against plain Python, every broken row."""

import io
import logging
import random
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from fer_exp.data import pixel_csv
from fer_exp.errors import DataError

PATH = Path("faces.csv")
HEADER = "emotion,pixels,Usage"
RANDOM = random.Random(0)
FACES = [[RANDOM.choice([0, 7, 42, 99, 100, 255, 200]) for _ in range(2304)] for _ in range(5)]
TEXTS = [" ".join(map(str, face)) for face in FACES]
ROWS = [f"{i},{text},{'Training' if i < 3 else 'PublicTest'}" for i, text in enumerate(TEXTS)]


def parse(text: str | bytes, on_bad_row: Literal["error", "skip"] = "error") -> pixel_csv.PixelTable:
    return pixel_csv.parse(io.BytesIO(text.encode() if isinstance(text, str) else text), PATH, on_bad_row)


def assert_all_faces(table: pixel_csv.PixelTable) -> None:
    assert table.images.shape == (5, 48, 48, 1)
    assert table.images.dtype == np.uint8
    np.testing.assert_array_equal(table.images.reshape(5, -1), FACES)
    assert table.labels.tolist() == [0, 1, 2, 3, 4]
    assert table.rows.tolist() == [0, 1, 2, 3, 4]


VARIANTS = {
    "original": "\n".join([HEADER, *ROWS]) + "\n",
    "no newline at the end": "\n".join([HEADER, *ROWS]),
    "windows line ends": "\r\n".join([HEADER, *ROWS]) + "\r\n",
    "byte order mark": "\ufeff" + "\n".join([HEADER, *ROWS]) + "\n",
    "blank lines": "\n".join([HEADER, *ROWS, "", "  "]) + "\n",
    "quoted": "\n".join(['"emotion","pixels","Usage"', *(f'"{row}"'.replace(",", '","') for row in ROWS)]),
    "icml_face_data": "\n".join(
        ["emotion, Usage, pixels", *(f"{r.split(',')[0]},{r.split(',')[2]},{r.split(',')[1]}" for r in ROWS)]
    ),
    "spaces around fields and between pixels": "\n".join(
        [HEADER, *(row.replace(",", " , ").replace(" 42 ", "  42 ") for row in ROWS)]
    ),
    "leading zeros": "\n".join([HEADER, *(row.replace(" 7 ", " 007 ").replace(" 42 ", " 00042 ") for row in ROWS)]),
    "an extra column": "\n".join([f"id,{HEADER}", *(f"9,{row}" for row in ROWS)]),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_of_the_format_gives_the_same_table(variant: str) -> None:
    table = parse(VARIANTS[variant])
    assert_all_faces(table)
    assert table.usages.tolist() == [0, 0, 0, 1, 1]


def test_a_file_without_usage_says_so_for_every_row() -> None:
    table = parse("\n".join(["emotion,pixels", *(row.rpartition(",")[0] for row in ROWS)]))
    assert_all_faces(table)
    assert table.usages.tolist() == [pixel_csv.NO_USAGE] * 5


@pytest.mark.parametrize("chunk_bytes", [1000, 9000, 20_000])
def test_chunks_may_end_anywhere(chunk_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_csv, "_CHUNK_BYTES", chunk_bytes)
    assert_all_faces(parse(VARIANTS["original"]))


def test_good_rows_never_reach_the_slow_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(text: bytes) -> np.ndarray:
        raise AssertionError("the slow parser was called")

    monkeypatch.setattr(pixel_csv, "_read_pixels_of_row", unreachable)
    assert_all_faces(parse(VARIANTS["original"]))


def test_every_pixel_value_is_read_as_python_reads_it() -> None:
    values = [*range(256)] * 9
    table = parse(f"{HEADER}\n0,{' '.join(map(str, values))},Training\n")
    assert table.images.ravel().tolist() == values


def replaced(position: int, token: str) -> str:
    tokens = TEXTS[0].split()
    tokens[position] = token
    return " ".join(tokens)


BAD_ROWS = {
    "too few pixels": (f"0,{TEXTS[0].rpartition(' ')[0]},Training", r"expected 2304 pixels \(48x48\), found 2303"),
    "too many pixels": (f"0,{TEXTS[0]} 1,Training", "expected 2304 pixels .* found 2305"),
    "no pixels": ("0,,Training", "expected 2304 pixels .* found 0"),
    "256": (f"0,{replaced(9, '256')},Training", "pixel 10 must be a whole number from 0 to 255, found '256'"),
    "300": (f"0,{replaced(0, '300')},Training", "pixel 1 must be .* found '300'"),
    "999": (f"0,{replaced(2303, '999')},Training", "pixel 2304 must be .* found '999'"),
    "four digits": (f"0,{replaced(5, '1255')},Training", "pixel 6 must be .* found '1255'"),
    "10,000 digits": (f"0,{replaced(5, '1' * 10_000)},Training", "pixel 6 must be .* found '11111111111111111111'"),
    "negative": (f"0,{replaced(5, '-1')},Training", "pixel 6 must be .* found '-1'"),
    "a fraction": (f"0,{replaced(5, '1.5')},Training", r"pixel 6 must be .* found '1\.5'"),
    "a letter": (f"0,{replaced(5, '1a')},Training", "pixel 6 must be .* found '1a'"),
    "letter instead of a space": (f"0,{TEXTS[0].replace(' ', 'x', 1)},Training", "expected 2304 pixels"),
    "label 7": (f"7,{TEXTS[0]},Training", "emotion must be a whole number from 0 to 6, found '7'"),
    "label text": (f"happy,{TEXTS[0]},Training", "emotion must be .* found 'happy'"),
    "label fraction": (f"1.0,{TEXTS[0]},Training", r"emotion must be .* found '1\.0'"),
    "label missing": (f",{TEXTS[0]},Training", "emotion must be .* found ''"),
    "usage": (f"0,{TEXTS[0]},Trainng", "Usage must be one of Training, PublicTest, PrivateTest, found 'Trainng'"),
    "field missing": (f"0,{TEXTS[0]}", "expected 3 comma-separated fields as in the header, found 2"),
    "field too many": (f"0,{TEXTS[0]},Training,x", "expected 3 comma-separated fields .* found 4"),
    "open quote": (f'0,"{TEXTS[0]},Training', "expected closed quotes"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_malformed_row_is_an_error_with_its_line_and_the_rule(case: str) -> None:
    row, rule = BAD_ROWS[case]
    with pytest.raises(DataError, match=rf"faces\.csv, line 4: {rule}.*dataset\.on_bad_row=skip"):
        parse("\n".join([HEADER, ROWS[0], "", row, *ROWS[1:]]))


@pytest.mark.parametrize("case", BAD_ROWS)
def test_skip_leaves_out_exactly_the_malformed_row(case: str) -> None:
    table = parse("\n".join([HEADER, ROWS[0], "", BAD_ROWS[case][0], *ROWS[1:]]), "skip")
    np.testing.assert_array_equal(table.images.reshape(5, -1), FACES)
    assert table.labels.tolist() == [0, 1, 2, 3, 4]
    assert table.skipped_lines.tolist() == [4]
    assert table.rows.tolist() == [0, 2, 3, 4, 5]


def test_positions_in_the_file_survive_every_mixture_of_bad_rows_and_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_csv, "_CHUNK_BYTES", 12_000)
    bad_pixels, bad_label = BAD_ROWS["256"][0], BAD_ROWS["label 7"][0]
    table = parse("\n".join([HEADER, bad_pixels, ROWS[0], bad_label, ROWS[1], bad_pixels, bad_label, ROWS[2]]), "skip")
    assert table.rows.tolist() == [1, 3, 6]
    assert table.labels.tolist() == [0, 1, 2]
    assert table.skipped_lines.tolist() == [2, 4, 6, 7]


def test_the_first_of_several_malformed_rows_is_reported() -> None:
    with pytest.raises(DataError, match="line 3: pixel 10"):
        parse("\n".join([HEADER, ROWS[0], BAD_ROWS["256"][0], BAD_ROWS["label 7"][0]]))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", r"faces\.csv is empty"),
        (HEADER + "\n", "holds no usable rows: only a header"),
        (f"label,pixels\n0,{TEXTS[0]}\n", r"has no column emotion: .*Received: 'label,pixels'"),
        (f"{ROWS[0]}\n", "has no column emotion and no column pixels"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not a text file"),
        (b"emotion\x00,pixels\n", "is not a text file"),
        (b"emotion,pixels\n" + b"1 " * 1_500_000, "has a line of more than 262,144 bytes"),
    ],
)
def test_a_file_that_is_no_such_csv_is_an_error(text: str | bytes, rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        parse(text)


def test_a_file_of_malformed_rows_only_is_an_error_even_when_they_are_skipped() -> None:
    with pytest.raises(DataError, match="all 1 are malformed, the first is line 2: emotion must be"):
        parse(f"{HEADER}\n{BAD_ROWS['label 7'][0]}\n", "skip")


def test_skipped_rows_are_counted_in_the_notes_and_the_log_also_on_a_cache_hit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "fer.csv"
    path.write_text("\n".join([HEADER, *ROWS, *[BAD_ROWS["256"][0]] * 7]))
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            table, notes = pixel_csv.load(path, "skip", str(tmp_path / "cache"))
        assert_all_faces(table)
        listed = Path(notes.pop("rejected_rows")).read_text().splitlines()
        assert listed[0] == "name,reason"
        assert [line.partition(",")[0] for line in listed[1:]] == [f"line {line}" for line in range(7, 14)]
        assert "pixel 10 must be a whole number from 0 to 255" in listed[-1]
        assert notes == {"skipped_rows": 7, "first_skipped_lines": [7, 8, 9, 10, 11]}
        assert "7 malformed rows skipped" in caplog.text


def test_a_file_that_vanishes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        pixel_csv.load(tmp_path / "absent.csv", "error", str(tmp_path))
