"""No cell is a formula for a spreadsheet, and every text is read back as it was."""

import io

import pandas as pd
import pytest

from fer_exp.data import csv_cells

TEXTS = ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", "\tx", "'=x", "''-y", "'plain", "plain", "", "a=b", "'"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_no_formula_and_reads_as_it_was(text: str) -> None:
    cell = csv_cells.written(text)
    assert not cell.startswith(tuple("=+-@\t\r"))
    assert csv_cells.read(cell) == text


def test_a_table_keeps_its_numbers_and_guards_texts_index_and_header() -> None:
    table = pd.DataFrame({"=name": ["-a", "b"], "loss": [-1.5, 2.0]}, index=pd.Index(["@x", "y"], name="class"))
    lines = csv_cells.safe(table).to_csv().splitlines()
    assert lines == ["class,'=name,loss", "'@x,'-a,-1.5", "y,b,2.0"]
    assert table.columns[0] == "=name", "the table itself stays as it is"
    again = pd.read_csv(io.StringIO("\n".join(lines)))
    assert [csv_cells.read(cell) for cell in again["'=name"]] == ["-a", "b"]


def test_an_empty_table_keeps_its_header() -> None:
    assert csv_cells.safe(pd.DataFrame(columns=["name", "split"])).to_csv(index=False) == "name,split\n"
