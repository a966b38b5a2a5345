"""The floors of the house: imports go down only, heavy libraries stay in their rooms, every option is mirrored."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from fer_exp.config import GROUPS

PACKAGE = ROOT / "fer_exp"
FLOORS = [
    {"process"},
    {"errors", "fit.epoch_metrics"},
    {
        "emotions",
        "signature",
        "owner",
        "lite.model_file",
        "slim.model_calls",
        "data.image_rows",
        "data.fer2013_facts",
        "data.csv_cells",
        "network.weights_file",
        "data.published_counts",
        "grammar.override",
        "grammar.sqlite",
        "reporting.terminal",
        "data.image_formats",
        "record.names",
        "fit.divergence",
        "reporting.abridged",
    },
    {
        "explain",
        "fingerprint",
        "reporting.command",
        "metrics",
        "data.drawing",
        "data.archive",
        "data.data_cache",
        "data.corrections",
        "data.fractions",
        "data.class_names",
        "data.input_files",
        "data.sample",
        "data.duplicates",
        "fit.snapshot",
        "fit.image_ops",
        "network.cost",
        "fit.test_time",
        "network.imagenet",
        "network.transfer",
        "network.batch_norm",
        "network.dropout",
        "network.fused_optimizers",
        "fit.workers",
        "fit.cluster",
        "lite.conversion",
        "lite.litert",
        "fit.distilling",
        "lite.folding",
        "lite.usage",
        "data.image_files",
        "data.label_codes",
        "data.folders",
        "data.image_store",
        "data.source_choice",
        "data.faces",
        "submission",
        "reporting.figure_style",
        "reporting.html_page",
        "hparams.search_space",
        "hparams.search_figure",
        "record.address",
        "record.lookup",
        "record.outbox",
        "record.mlflow_system",
        "record.mlflow_template",
        "slim.channel_groups",
        "network.recorded_model",
        "fit.sampling",
        "fit.devices",
        "grammar.options",
        "grammar.sweeps",
    },
    {
        "lite.benchmark",
        "lite.export_figure",
        "config",
        "reporting.figure_writer",
        "network.muon",
        "data.pixel_csv",
        "data.image_cache",
        "lite.quantization_aware",
        "reporting.figure",
        "reporting.image_sheets",
        "fit.fitting",
        "fit.inference",
        "fit.mixing",
        "reporting.tables",
        "record.sender",
        "record.mlflow_delivery",
        "hparams.study",
        "slim.channel_scores",
        "slim.taylor_scores",
        "slim.slimming",
        "lite.litert_child",
        "lite.litert_guard",
        "significance",
    },
    {
        "record.mlflow_run",
        "record.mlflow_store",
        "record.mlflow_registry",
        "reporting.console",
        "lite.proof",
        "lite.qat_file",
        "slim.channel_choice",
        "data.image_folders",
        "data.fer2013_source",
    },
    {*GROUPS, "launcher", "sweeper", "sampler", "pruner"},
    {
        "commandline",
        "fit.teacher",
        "fit.callbacks",
        "fit.averaging",
        "data.demands",
        "data.folds",
        "data.leaks",
        "fit.pipeline",
        "reporting.data_table",
        "fit.progress",
        "reporting.report",
        "fit.precision",
        "hparams.trial",
        "hparams.search_report",
        "lite.export_table",
        "data.limits",
        "sweep_exports",
        "slim.inheritance",
        "chain_report",
        "registry",
        "reporting.run_page",
    },
    {
        "fit.assembly",
        "assessment",
        "leaderboard",
        "fit.features",
        "fit.continuation",
        "fit.resume",
        "store",
        "hparams.search",
        "lite.model_card",
        "recorded_config",
    },
    {"data.loading", "fit.feed", "lite.publication", "provenance", "reproduction"},
    {"fit.fine_tuning", "fit.training"},
    {"conclusion"},
    {"experiment", "sweep", "trained"},
    {"__main__", "doctor", "dispatch", "compare", "compress", "sync", "predict", "evaluate", "ui"},
]
# Rooms whose modules have floors of their own.
SHARED = ("data", "fit", "network", "slim", "lite", "record", "hparams", "reporting", "grammar")
# Hydra wants launchers and sweepers under hydra/; apart from that they are options like all others.
HOMES = {
    **{group: ROOT / "conf" / group for group in GROUPS},
    "launcher": ROOT / "conf" / "hydra" / "launcher",
    "sweeper": ROOT / "conf" / "hydra" / "sweeper",
    "sampler": ROOT / "conf" / "hydra" / "sweeper" / "sampler",
    "pruner": ROOT / "conf" / "hydra" / "sweeper" / "pruner",
}
OPTIONS = sorted(Path(group, path.name) for group, home in HOMES.items() for path in home.glob("*.yaml"))


def room_of(path: Path) -> str:
    """Returns what has a floor: a module, in a shared room with the room's name; a group or command as a whole."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:2]) if parts[0] in SHARED else parts[0]


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "fer_exp":
            rooms |= {alias.name for alias in node.names} - {"__version__"}  # which is no room
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("fer_exp."):
            names = str(node.module).split(".")[1:]
            if names[0] not in SHARED:
                rooms.add(names[0])
            elif len(names) > 1:
                rooms.add(".".join(names[:2]))
            else:
                rooms |= {f"{names[0]}.{alias.name}" for alias in node.names}
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


SEARCHING = {f"{group}/{path.stem}.py" for group in ("sampler", "pruner") for path in HOMES[group].glob("*.yaml")}


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
            {"hparams/study.py", "hparams/trial.py", "hparams/search.py", "hparams/search_report.py", *SEARCHING},
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
        "import sys; from fer_exp import commandline; commandline.check(['model=mobilenet_v2', 'lr=1e-4']);"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
