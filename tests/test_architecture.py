"""The floors of the house: imports go down only, heavy libraries stay in their rooms, every option is mirrored."""

import ast
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import ROOT

from fer_exp.options.config import GROUPS

PACKAGE = ROOT / "fer_exp"
# Rooms whose modules have floors of their own.
SHARED = (
    *("assessment", "data", "fit", "lite", "network", "options", "record", "reporting", "run"),
    *("network.slim", "options.grammar", "run.hparams"),
)
# Hydra wants launchers and sweepers under hydra/; apart from that they are options like all others.
HOMES = {
    **{group: ROOT / "conf" / group for group in GROUPS},
    "launcher": ROOT / "conf" / "hydra" / "launcher",
    "sweeper": ROOT / "conf" / "hydra" / "sweeper",
    "sweeper/sampler": ROOT / "conf" / "hydra" / "sweeper" / "sampler",
    "sweeper/pruner": ROOT / "conf" / "hydra" / "sweeper" / "pruner",
}
OPTIONS = sorted(Path(group, path.name) for group, home in HOMES.items() for path in home.glob("*.yaml"))


def floors(text: str) -> list[set[str]]:
    """Reads the floors of docs/architecture.md, the lowest first: `floor 3  config  data/  demands  pixel_csv`.

    What ends with a slash is the folder of the names that follow it, also on further lines that begin below them.
    """
    found: list[set[str]] = []
    folder = ""
    for line in text.splitlines():
        words = re.fullmatch(r"(?:(roof|floor \d+) +| {9}( +)?)(.*)", line)
        assert words is not None, line
        if words[1]:
            found.insert(0, set())
        if not words[2]:
            folder = ""
        for word in words[3].split():
            if word.endswith("/"):
                folder = word.replace("/", ".")
            else:
                found[0].add(folder + word)
    return found


def listed() -> str:
    return (ROOT / "docs" / "architecture.md").read_text().partition("```\nroof")[2].partition("\n```")[0]


FLOORS = floors("roof" + listed())


def test_the_list_is_read_as_it_is_written() -> None:
    lines = ["roof     __main__", "floor 1  config", "         data/  files", "             rows", "         tracking"]
    text = "\n".join([*lines, "floor 0  process"])
    assert floors(text) == [{"process"}, {"config", "data.files", "data.rows", "tracking"}, {"__main__"}]


def test_there_are_few_floors_and_no_room_has_two() -> None:
    assert len(FLOORS) <= 11  # ten, and the roof
    assert sum(map(len, FLOORS)) == len(set().union(*FLOORS))


def test_the_root_of_the_package_has_few_entries() -> None:
    assert len([entry for entry in PACKAGE.iterdir() if entry.name != "__pycache__"]) <= 35


def room_of(path: Path) -> str:
    """Returns what has a floor: a module, in a shared room with the room's name; a group or command as a whole."""
    return room(path.relative_to(PACKAGE).with_suffix("").parts)


def room(names: Sequence[str]) -> str:
    """Returns the room of a dotted name: as deep as rooms are shared, and one deeper."""
    deep = 1
    while ".".join(names[:deep]) in SHARED and deep < len(names):
        deep += 1
    return ".".join(names[:deep])


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "fer_exp":
            rooms |= {alias.name for alias in node.names} - {"__version__"}  # which is no room
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("fer_exp."):
            names = str(node.module).split(".")[1:]
            shared = ".".join(names) in SHARED
            rooms |= {room([*names, alias.name]) for alias in node.names} if shared else {room(names)}
    return rooms


def test_every_module_has_a_floor() -> None:
    rooms = {room for room in map(room_of, PACKAGE.rglob("*.py")) if not room.endswith("__init__")}
    assert rooms == set().union(*FLOORS)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    room = room_of(path)
    if room.endswith("__init__"):
        return
    floor = next(index for index, rooms in enumerate(FLOORS) if room in rooms)
    below = set().union(*FLOORS[:floor])
    # A group's contract may be named by others; its options are reached through config.build.
    allowed = below | {room} | (set(HOMES) & imported_contracts(path))
    assert imported_rooms(path) <= allowed


def imported_contracts(path: Path) -> set[str]:
    """Groups of which only the package itself is imported, never an option."""
    nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
    modules = [str(n.module).split(".")[1:] for n in nodes if str(n.module).startswith("fer_exp.")]
    return {m[0] for m in modules if len(m) == 1} - {m[0] for m in modules if len(m) > 1}


OF_MLFLOW = {
    "tracking/mlflow.py",
    "record/mlflow_delivery.py",
    "record/mlflow_registry.py",
    "record/mlflow_run.py",
    "record/mlflow_store.py",
    "record/mlflow_system.py",
}


def test_the_rooms_of_mlflow_are_entered_through_its_option_only() -> None:
    inner = {room_of(PACKAGE / name) for name in OF_MLFLOW} - {"tracking"}
    entered = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if imported_rooms(path) & inner}
    assert entered <= OF_MLFLOW


# Whatever builds, trains, selects or calibrates. The test split is out of its reach: it is handed a `Development`.
BEFORE_THE_TEST = [
    *(
        "assembly",
        "averaging",
        "callbacks",
        "continuation",
        "distilling",
        "features",
        "feed",
        "fine_tuning",
        "fitting",
        "pipeline",
        "teacher",
        "training",
    ),
    *("inheritance", "qat_file", "quantization_aware", "sample", "search", "taylor_scores", "trial"),
]


@pytest.mark.parametrize("room", BEFORE_THE_TEST)
def test_what_trains_and_selects_neither_takes_all_splits_nor_asks_for_the_test_split(room: str) -> None:
    tree = ast.parse(next(PACKAGE.rglob(f"{room}.py")).read_text())
    assert not {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & {"Splits"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "test"]


SEARCHING = {
    f"{group}/{path.stem}.py" for group in ("sweeper/sampler", "sweeper/pruner") for path in HOMES[group].glob("*.yaml")
}


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("mlflow", OF_MLFLOW),
        ("ai_edge_litert", {"lite/litert.py", "lite/litert_child.py"}),
        ("cv2", {"data/faces/search.py", "data/faces/cropping.py", "predict/videos.py"}),
        ("jinja2", {"reporting/html_page.py"}),
        ("cleanlab", {"doctor/labels.py"}),
        ("joblib", {"launcher/joblib.py"}),
        ("ray", {"launcher/ray.py"}),
        (
            "optuna",
            {*(f"run/hparams/{name}.py" for name in ("study", "trial", "search", "search_report")), *SEARCHING},
        ),
    ],
)
def test_a_library_is_imported_in_its_own_rooms_only(library: str, rooms: set[str]) -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == library for name in names):
                found.add(str(path.relative_to(PACKAGE)))
    assert found == rooms


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_an_option_is_one_yaml_one_module_and_one_test(option: Path) -> None:
    module = option.with_suffix(".py")
    assert (PACKAGE / module).is_file()
    if option.parts[0] != "tracking":
        assert (ROOT / "tests" / option.parent / f"test_{module.name}").is_file()


def test_every_module_of_a_group_has_a_yaml() -> None:
    modules = {path.relative_to(PACKAGE).with_suffix("") for g in HOMES for path in (PACKAGE / g).glob("*.py")}
    assert {m for m in modules if m.name != "__init__"} == {option.with_suffix("") for option in OPTIONS}


def test_checking_a_command_line_imports_nothing_that_takes_long() -> None:
    heavy = ("tensorflow", "keras", "mlflow", "pandas", "matplotlib", "scipy", "sklearn", "PIL")
    script = (
        "import sys; from fer_exp.options import commandline; commandline.check(['model=mobilenet_v2', 'lr=1e-4']);"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


NAMES_OF_MODULES = {path.stem for path in PACKAGE.rglob("*.py")} | {p.name for p in PACKAGE.rglob("*") if p.is_dir()}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_who_is_said_to_call_a_module_imports_it(path: Path) -> None:
    said = re.search(
        r"Called by .*?(?:\.\s|\.$|;|:\s)", ast.get_docstring(ast.parse(path.read_text())) or "", re.DOTALL
    )
    if said is None or "config.build" in said[0]:  # what is reached through that is imported by nobody
        return
    callers = {name.split(".")[0] for name in re.findall(r"`([\w.]+)`", said[0])} & NAMES_OF_MODULES
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    importers = {part for other, modules in IMPORTS.items() if module in modules for part in other}
    assert callers <= importers | {"fer_exp", "server"}


def imports(path: Path) -> set[str]:
    nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
    return {str(n.module) for n in nodes} | {f"{n.module}.{alias.name}" for n in nodes for alias in n.names}


IMPORTS = {path.relative_to(PACKAGE).with_suffix("").parts: imports(path) for path in PACKAGE.rglob("*.py")}
