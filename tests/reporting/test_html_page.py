"""What pages share: what is wider than a screen scrolls, and one sees that it does."""

import re
from pathlib import Path

import pytest
from conftest import ROOT

PAGES = sorted((ROOT / "fer_exp").rglob("page.html.jinja"))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_every_page_shows_that_a_wide_table_or_picture_goes_on(page: Path) -> None:
    text = page.read_text()
    assert text.startswith('{% extends "base.html.jinja" %}')
    tables = len(re.findall(r"<table", text))
    assert tables > 0
    assert len(re.findall(r'<div class="scroll" tabindex="0"', text)) == tables, "also by keyboard"


def test_there_are_three_pages_on_one_base_that_fetches_nothing() -> None:
    assert len(PAGES) == 3
    base = (ROOT / "fer_exp" / "reporting" / "base.html.jinja").read_text()
    assert '{% include "scroll.css" %}' in base
    assert '<meta name="viewport" content="width=device-width' in base
    assert "default-src 'none'" in base
