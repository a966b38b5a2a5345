"""The files stand side by side, with Keras first, and what must not be missed is said."""

import io

import pytest
from exportables import KERAS, measured
from rich.console import Console

from fer_exp.lite import export_table
from fer_exp.reporting import tables

SHORT = "validation accuracy is 8.33 points below Keras', and export.max_accuracy_drop=0.01 allows 1"
FILES = [measured("float32", 100), measured("int8", 90, SHORT, memory_mb=None)]


def test_the_csv_holds_every_number_under_the_name_it_is_tracked_by() -> None:
    table = export_table.frame(FILES)
    for entry, (_, row) in zip(FILES, table.iterrows(), strict=True):
        numbers = entry.numbers()
        assert {name: row[name] for name in numbers} == numbers
    assert table["file"].tolist() == ["float32.tflite", "int8.tflite"]
    assert table["worst_recall_class"].tolist()[1] == "sad"
    assert table["withheld"].tolist() == ["", SHORT]
    assert table["accuracy_low"][0] < table["accuracy"][0] < table["accuracy_high"][0]


def test_a_person_reads_differences_in_points() -> None:
    cells = export_table.cells(FILES, KERAS)
    assert cells["file"].tolist() == ["Keras", "float32.tflite", "int8.tflite (withheld)"]
    assert cells["validation"].tolist() == ["0.8333", "0.8333 (+0.00)", "0.7500 (-8.33)"]
    assert cells["test"].tolist() == ["0.8333", "0.8333 (+0.00)", "0.7500 (-8.33)"]
    # By hand: b = 10.5, c = 0.5, n = 122; -10 / 122 -+ 1.96 * sqrt(11 - 100 / 122) / 122.
    assert cells["difference, 95 %"][2] == "-13.32 to -3.07"
    assert cells["as Keras"].tolist() == ["", "100.00 %", "91.67 %"]
    assert cells["worst recall"][2] == "-25.00 sad"


def test_a_file_that_is_withheld_and_threads_beyond_the_cores_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_table, "cores", lambda: 2)
    assert export_table.notes(FILES) == [
        f"int8.tflite is not published: {SHORT}.",
        "64 threads are more than the 2 cores of this machine: those times mean little.",
    ]
    monkeypatch.setattr(export_table, "cores", lambda: 64)
    assert export_table.notes(FILES[:1]) == []


def test_costs_have_a_column_for_each_number_of_threads() -> None:
    table = export_table.costs(FILES)
    assert table.columns.tolist() == ["file", "MB", "load, ms", "memory, MB", "1 thread, ms", "64 threads, ms"]
    assert table.to_numpy().tolist() == [
        ["float32.tflite", "2.50", "8.0", "12.0", "0.50 / 0.75", "9.00 / 10.00"],
        ["int8.tflite", "2.50", "8.0", "-", "0.50 / 0.75", "9.00 / 10.00"],
    ]


def test_the_table_of_the_terminal_fits_into_a_log_file() -> None:
    screen = Console(file=io.StringIO(), width=140, record=True)
    screen.print(export_table.terminal(export_table.cells(FILES, KERAS), "exported files"))
    lines = screen.export_text().splitlines()
    assert sum("tflite" in line for line in lines) == 2
    assert any("int8.tflite (withheld)" in line and "-25.00 sad" in line for line in lines)


def test_markdown_keeps_bars_out_of_the_columns() -> None:
    table = export_table.costs(FILES[:1]).assign(file="a|b")
    assert tables.markdown(table).splitlines()[2].startswith("| a\\|b |")
