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
    {
        "errors",
        "emotions",
        "signature",
        "owner",
        "fingerprint",
        "process",
        "model_file",
        "model_calls",
        "image_rows",
        "fer2013_facts",
    },
    {
        "explain",
        "metrics",
        "drawing",
        "archive",
        "data_cache",
        "corrections",
        "duplicates",
        "snapshot",
        "image_ops",
        "cost",
        "test_time",
        "imagenet",
        "transfer",
        "batch_norm",
        "dropout",
        "fused_optimizers",
        "workers",
        "cluster",
        "litert",
        "distilling",
        "folding",
        "calibration",
        "usage",
        "image_files",
        "folders",
        "image_store",
        "source_choice",
        "faces",
        "submission",
        "figure_style",
        "search_space",
        "search_figure",
        "outbox",
        "mlflow_system",
        "channel_groups",
        "recorded_model",
    },
    {
        "benchmark",
        "export_figure",
        "config",
        "pixel_csv",
        "image_cache",
        "quantization_aware",
        "figure",
        "image_sheets",
        "mixing",
        "tables",
        "sender",
        "mlflow_delivery",
        "study",
        "channel_scores",
        "slimming",
        "litert_child",
        "litert_guard",
        "significance",
    },
    {
        "mlflow_run",
        "mlflow_store",
        "mlflow_registry",
        "proof",
        "qat_file",
        "channel_choice",
        "image_folders",
        "fer2013_source",
    },
    {*GROUPS, "launcher", "sweeper", "sampler", "pruner"},
    {
        "commandline",
        "teacher",
        "callbacks",
        "averaging",
        "folds",
        "pipeline",
        "console",
        "progress",
        "report",
        "precision",
        "trial",
        "search_report",
        "export_table",
        "limits",
        "sweep_exports",
        "inheritance",
        "chain_report",
        "registry",
    },
    {"assembly", "features", "continuation", "resume", "store", "search", "model_card", "compression"},
    {"training", "publication", "provenance"},
    {"experiment", "sweep", "trained"},
    {"__main__", "doctor", "dispatch", "compare", "compress", "sync", "predict", "evaluate"},
]
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
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "fer_exp":
            rooms |= {alias.name for alias in node.names} - {"__version__"}  # which is no room
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("fer_exp."):
            rooms.add(str(node.module).split(".")[1])
    return rooms


def test_every_module_has_a_floor() -> None:
    rooms = {room_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert rooms == set().union(*FLOORS)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
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
    "mlflow_delivery.py",
    "mlflow_registry.py",
    "mlflow_run.py",
    "mlflow_store.py",
    "mlflow_system.py",
}


def test_the_rooms_of_mlflow_are_entered_through_its_option_only() -> None:
    inner = {Path(name).stem for name in OF_MLFLOW} - {"mlflow"}
    entered = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if imported_rooms(path) & inner}
    assert entered <= OF_MLFLOW


SEARCHING = {f"{group}/{path.stem}.py" for group in ("sampler", "pruner") for path in HOMES[group].glob("*.yaml")}


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("mlflow", OF_MLFLOW),
        ("ai_edge_litert", {"litert.py", "litert_child.py"}),
        ("cv2", {"faces/search.py", "faces/cropping.py", "predict/videos.py"}),
        ("jinja2", {"compare/page.py"}),
        ("joblib", {"launcher/joblib.py"}),
        ("ray", {"launcher/ray.py"}),
        ("optuna", {"study.py", "trial.py", "search.py", "search_report.py", *SEARCHING}),
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


def test_checking_a_command_line_imports_neither_tensorflow_nor_mlflow() -> None:
    script = (
        "import sys; from fer_exp import commandline; commandline.check(['model=mobilenet_v2', 'lr=1e-4']);"
        "print([m for m in ('tensorflow', 'keras', 'mlflow', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
