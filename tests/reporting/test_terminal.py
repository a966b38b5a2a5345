"""What is printed appears as it is: a name in brackets is no markup, and one between colons is no picture."""

import ast
import io
from pathlib import Path

import pytest
from conftest import ROOT
from rich.table import Table
from rich.tree import Tree

from fer_exp.reporting import console, terminal

NAMES = ["[/b] x", "[red]x", ":smile: x", "[link=http://x]y[/link]", "\\[x]", "[x", "a[1]"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_printed_as_they_are_wherever_they_stand(name: str) -> None:
    file = io.StringIO()
    screen = terminal.opened(width=120, file=file)
    table = Table(name, title=name)
    table.add_row(name)
    tree = Tree(name)
    tree.add(name)
    screen.print(name)
    screen.print(table)
    screen.print(tree)
    assert file.getvalue().count(name) == 6


@pytest.mark.parametrize("name", NAMES)
def test_the_configuration_shows_names_as_they_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    node = {"_target_": "fer_exp.x.y.build", "path": name}
    values = {"name": name, **dict.fromkeys(console.GROUPS, node)}
    with console.beside({"name": None, **dict.fromkeys(console.GROUPS, node | {"path": "x"})}):
        console.opened(values)
    shown = capsys.readouterr().out
    assert f"  name={name} (null)" in shown
    assert shown.count(f".path={name} (x)") == len(console.GROUPS)


SOURCES = sorted((ROOT / "fer_exp").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "fer_exp")))
def test_nobody_else_opens_a_terminal_or_lets_rich_read_markup(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        assert called != "Console" or path.name == "terminal.py", "it would read markup"
        assert called != "from_markup"
        if called == "TextColumn":
            assert isinstance(given.get("markup"), ast.Constant), "a column reads markup unless told otherwise"
            assert given["markup"].value is False
        if called == "status" and node.args:
            assert not isinstance(node.args[0], ast.JoinedStr), "rich reads markup in it: give it a Text"
