"""The page needs nothing but itself, and what comes from outside cannot become part of it."""

import re
from html.parser import HTMLParser

from fer_exp.compare.page import render
from fer_exp.compare.tables import TextTable

EVIL = "<script>alert(1)</script>\"'><img src=https://evil.example/x onerror=alert(1)>"
VOID = {"meta", "img", "br", "link"}


class Checker(HTMLParser):
    """Collects tags and attributes, and checks that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    return checker


def page(picture: bytes | None = b"png") -> str:
    table = TextTable(EVIL, ("", EVIL), (("A", EVIL), ("B", "better")), EVIL)
    return render(EVIL, EVIL, [EVIL], [EVIL], [table], picture, table)


def test_text_from_outside_stays_text() -> None:
    checker = parsed(page())
    names = {name for name, _ in checker.tags}
    assert "script" not in names
    assert [dict(a)["src"] for name, a in checker.tags if name == "img"] == ["data:image/png;base64,cG5n"]
    assert not any(key.startswith("on") for _, attributes in checker.tags for key in attributes)
    assert checker.text.count(EVIL) == 13  # twice as title, as verdict, fact and note, four times in each table


def test_the_page_loads_nothing_and_forbids_it() -> None:
    text = page()
    checker = parsed(text)
    addresses = [v for _, a in checker.tags for k, v in a.items() if k in ("src", "href", "srcset", "action")]
    assert all(str(address).startswith("data:") for address in addresses)
    assert not re.search(r"url\(|@import", text)
    (policy,) = [a["content"] for _, a in checker.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy).startswith("default-src 'none'")


def test_the_page_fits_phones_and_dark_screens() -> None:
    text = page()
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text
    assert "prefers-color-scheme: dark" in text


def test_without_a_picture_there_is_no_empty_frame() -> None:
    assert "img" not in {name for name, _ in parsed(page(None)).tags}
