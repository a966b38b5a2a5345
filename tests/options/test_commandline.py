"""The command line as a person types it: mistakes are told at once, in words, before anything heavy or half-written."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import hydra
import processes
import pytest
from cold_starts import without_anything_heavy
from conftest import CommandLine, environment_for
from mlflow import MlflowClient

from fer_exp.errors import ConfigError
from fer_exp.options import commandline, config
from fer_exp.options.grammar import sqlite

MODELS = ", ".join(sorted(path.stem for path in (config.CONF / "model").glob("*.yaml")))
# Ends the process where something heavy is about to be imported, and says so.
STARTED = (9, "refused: tensorflow\n")  # all was well until TensorFlow was about to be imported


def test_a_mistake_is_told_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    done = without_anything_heavy(tmp_path, "lr=-1")
    assert done.returncode == 2
    assert done.stderr.startswith("error: `lr` must be greater than 0.")


def test_the_configuration_is_on_the_screen_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    done = without_anything_heavy(tmp_path, "lr=0.25")
    assert (done.returncode, done.stderr) == (9, "refused: tensorflow\n")
    assert "lr=0.25 (0.001)" in done.stdout
    assert "model=cnn" in done.stdout


def test_a_run_says_nothing_on_the_standard_error(tmp_path: Path) -> None:
    """A cold start, in stages: no line of CUDA, oneDNN, absl, XNNPACK or Keras, and no progress bar of a library."""
    words = [
        "debug=fast",
        "model=mobilenet_v1",
        "model.alpha=0.1",
        "model.input_size=32",
        "model.weights=null",
        "finetune=staged",
        "export.kinds=[float32]",
        "export.latency_calls=1",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "fer_exp", *words], cwd=tmp_path,
        env={key: value for key, value in environment_for().items() if key != "TF_CPP_MIN_LOG_LEVEL"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "finetune=staged freezes a backbone that has random weights.\n")
    assert "with oneDNN's kernels on the CPU" in done.stdout


def test_a_mistake_has_a_non_zero_exit_and_writes_nothing(command_line: CommandLine, tmp_path: Path) -> None:
    done = command_line("model=mobilenet_v2", "model.alpah=0.5", "epochs=0", "+typo=3")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: `epochs` must be greater than 0. Received: epochs=0. "
        "Passes over the training split, >= 1, over all stages together.",
        done.stderr.splitlines()[1],
        "error: `model.alpah` is not an option of model=mobilenet_v2. Received: model.alpah=0.5. "
        "Did you mean `model.alpha`?",
    ]
    assert done.stderr.splitlines()[1].startswith("error: `typo` is not an option of the configuration.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["strategy=gpu"], "`strategy.index` must name one of the 0 GPUs TensorFlow sees."),
        (["strategy=mirrored"], "`strategy.devices` null takes every GPU, but TensorFlow sees none."),
        (["-m", "strategy=cpu,gpu"], "`strategy.index` must name one of the 0 GPUs TensorFlow sees."),
        (["tracking.uri=http://127.0.0.1:9"], "must be a server that answers within 5 seconds"),
        (["-m", "seed=0,1", "tracking.uri=http://127.0.0.1:9"], "must be a server that answers within 5 seconds"),
        (["tracking.uri=127.0.0.1:9"], "for example http://127.0.0.1:9."),
        (["tracking.uri=sqlite:///nowhere/m.db"], "`tracking.uri` must lie in an existing folder."),
        (["dataset=fer2013", "dataset.path=bad.csv"], "bad.csv has no column emotion and no column pixels"),
        (["dataset=fer2013", "dataset.path=empty.csv"], "empty.csv is empty"),
        (["dataset=fer2013", "dataset.path=faces"], "has no class folders with images"),
        (["dataset=image_folder", "dataset.path=empty"], "has no class folders with images"),
        (["dataset=image_folder", "dataset.path=faces"], "Found folders: happy."),
        (["dataset=ferplus", "dataset.path=good.csv", "dataset.votes=bad.csv"], "`dataset.votes` must be fer2013new"),
        (["dataset=rafdb", "dataset.path=faces"], "must be the folder `basic` of RAF-DB"),
        (["dataset=affectnet", "dataset.path=faces"], "must be the folder of AffectNet"),
        (["dataset=ckplus", "dataset.path=empty"], "must be the folder of CK+"),
        (
            ["dataset=combine", "dataset.sources.fer2013.path=bad.csv", "dataset.sources.rafdb.path=faces"],
            "bad.csv has no column emotion",
        ),
        (["-m", "dataset=fer2013", "dataset.path=good.csv,bad.csv"], "bad.csv has no column emotion"),
        (["dataset.train_size=2000000000"], "must be images that the memory can hold"),
        ([f"resume={'0' * 32}"], "`resume` must be a run in "),
        (["pruning=channels", "pruning.ratio=0.5", f"pruning.run={'0' * 32}"], "`pruning.run` must be a run in "),
        (["distillation=teacher", f"distillation.run=[{'a' * 32}]"], "`distillation.run` must be a run in "),
        (["hydra.run.dir=bad.csv/run"], "bad.csv is no folder."),
    ],
)
def test_what_is_certainly_not_there_is_told_before_anything_heavy_is_imported_or_drawn(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    (tmp_path / "good.csv").write_text("emotion,pixels,Usage\n")
    for name in ("empty", "faces/happy"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "empty.csv").touch()
    before = sorted(tmp_path.rglob("*"))
    done = without_anything_heavy(tmp_path, *arguments, CUDA_VISIBLE_DEVICES="")
    assert done.returncode in (2, 4), done.stderr
    assert said in done.stderr
    assert all(line.startswith("error: ") for line in done.stderr.splitlines())
    assert done.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before, "nothing is half-written"


def test_an_empty_address_in_the_environment_is_told_by_its_name(tmp_path: Path) -> None:
    done = without_anything_heavy(tmp_path, MLFLOW_TRACKING_URI="")
    assert (done.returncode, done.stderr[:47]) == (2, "error: `MLFLOW_TRACKING_URI` must not be empty:")


def test_a_file_in_the_place_of_the_outputs_is_told(tmp_path: Path) -> None:
    (tmp_path / "outputs").touch()
    done = without_anything_heavy(tmp_path)
    assert done.returncode == 4
    assert f"{tmp_path / 'outputs'} is no folder." in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["-m", "seed=0,1"], ["hydra.run.dir=/tmp/x", "resume=never"]])
def test_a_working_directory_that_cannot_be_written_is_told_in_one_line(arguments: list[str], tmp_path: Path) -> None:
    # Even root has no rights in a folder of a file system that is mounted to be read; a test cannot mount one.
    access = f"lambda path, mode: str(path) != {str(tmp_path)!r} and real(path, mode)"
    done = without_anything_heavy(tmp_path, *arguments, first=f"import os; real = os.access; os.access = {access}")
    assert done.returncode in (2, 4)
    assert f"{tmp_path} cannot be written." in done.stderr
    assert done.stderr.count("\n") == 1


UNKNOWN_USER = """
import os, pwd
def gone(*arguments):
    raise KeyError("uid not found: 12345")
pwd.getpwuid = pwd.getpwnam = gone
for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
    os.environ.pop(name, None)
"""


def test_without_a_home_folder_the_cache_must_be_named_and_then_all_is_well(tmp_path: Path) -> None:
    done = without_anything_heavy(tmp_path, "cache_dir='~/cache'", first=UNKNOWN_USER)
    assert done.returncode == 2
    assert "`cache_dir` must be a path without ~" in done.stderr
    assert "FER_EXP_CACHE=<folder> sets it for every command." in done.stderr
    done = without_anything_heavy(tmp_path, "cache_dir=cache", first=UNKNOWN_USER)
    assert (done.returncode, done.stderr) == STARTED


@pytest.mark.whole
def test_a_run_needs_neither_a_home_folder_nor_a_name_of_its_user(tmp_path: Path) -> None:
    words = ["debug=fast", "model.widths=[4,4]", "model.head_units=8", "export=none", "cache_dir=cache"]
    program = f"{UNKNOWN_USER}\nfrom fer_exp.__main__ import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=tmp_path, env=environment_for(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == {
        "cache",
        "mlartifacts",
        "mlflow.db",
        "mlflow.db.lock",
        "outputs",
    }


@pytest.mark.parametrize("value", ["dataset.path='~nobody_at_all/x'", "dataset.path='~/x'"])
def test_a_home_folder_that_nobody_knows_is_told(value: str, tmp_path: Path) -> None:
    done = without_anything_heavy(tmp_path, "dataset=fer2013", value, f"cache_dir={tmp_path}", first=UNKNOWN_USER)
    assert done.returncode == 2
    assert done.stderr.startswith("error: `dataset.path` must be a path without ~")


def test_a_working_directory_that_hydra_would_look_up_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "a${b}"
    folder.mkdir()
    done = without_anything_heavy(folder)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "must not have `${` in its name" in done.stderr


@pytest.mark.parametrize("name", ["it's", "p%20", "q?x", "a#b", "a{b}", "$x", "a b", "ä,b"])
def test_a_run_begins_in_any_other_working_directory(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    done = without_anything_heavy(folder)
    assert (done.returncode, done.stderr) == STARTED


@pytest.mark.whole
def test_a_sweep_runs_in_a_working_directory_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "it's #1, {x} $y 100%20? ä"
    folder.mkdir()
    words = ["-m", "seed=0,1", "debug=fast", "model.widths=[4,4]", "model.head_units=8", "export.kinds=[float32]"]
    done = processes.run("fer_exp", [*words, "export.latency_calls=1"], folder, environment_for(), 300)
    assert done.returncode == 0, done.stdout + done.stderr
    client = MlflowClient(sqlite.uri_of(folder / "mlflow.db"))
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert [run.info.status for run in runs] == ["FINISHED"] * 3
    child = next(run.info.run_id for run in runs if "mlflow.parentRunId" in run.data.tags)
    file = Path(client.download_artifacts(child, "tables/predictions.csv", str(folder)))
    assert file.stat().st_size > 0
    assert {path.name for path in tmp_path.iterdir()} == {folder.name}, "nothing lies outside of it"
    assert {path.name for path in folder.iterdir()} >= {"mlflow.db", "mlartifacts", "multirun"}


@pytest.mark.parametrize("name", ["[/b] x", ":smile: [bold]y"])
def test_a_name_is_shown_as_it_is(name: str, tmp_path: Path) -> None:
    done = without_anything_heavy(tmp_path, f"name='{name}'")
    assert (done.returncode, done.stderr) == STARTED
    assert f"name={name} (null)\n" in done.stdout


def test_help_lists_groups_and_presets(command_line: CommandLine, tmp_path: Path) -> None:
    done = command_line("--help")
    assert done.returncode == 0
    for text in (
        f"model: {MODELS}",
        "schedule: constant, cosine,",
        "experiment=article_cnn",
        "-m",
    ):
        assert text in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_cfg_job_prints_the_composed_configuration(command_line: CommandLine, tmp_path: Path) -> None:
    done = command_line("--cfg", "job", "--resolve", "lr=0.25")
    assert done.returncode == 0
    assert "lr: 0.25" in done.stdout
    assert "peak: 0.25" in done.stdout
    assert list(tmp_path.iterdir()) == []


def problems(*arguments: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        commandline.check(list(arguments))
    return list(caught.value.problems)


def test_an_unknown_option_of_a_group_names_the_nearest() -> None:
    assert problems("model=mobilnet_v2") == [
        f"`model` must be one of {MODELS}. Received: model=mobilnet_v2. Did you mean model=mobilenet_v2?"
    ]


def test_an_unknown_group_names_the_nearest() -> None:
    (problem,) = problems("modle=cnn")
    assert "Did you mean `model`?" in problem


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hydra.mode=foo"], "`hydra.mode` must be something else: Invalid value 'foo'"),
        (["hydra.run.dir=${nowhere}"], "`hydra.run.dir` refers to something that is not there"),
        (["--cfg", "job", "modle=cnn"], "`modle` is no key of the configuration. Did you mean `model`?"),
        (["--cfg", "job", "model=cn"], f"`model` must be one of {MODELS}. Received: model=cn."),
        (["--cfg", "job", "lr=[1"], "`lr` cannot be read: a bracket in it has no partner"),
        (["-m", "seed=0,1", "hydra.launcher.foo=3"], "`hydra.launcher.foo` is no key of the configuration."),
        (["--model", "cnn"], "Keys have no dashes: model=cnn."),
        (["model", "cnn"], "Write model=cnn."),
    ],
)
def test_what_hydra_objects_to_is_one_line_each(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = without_anything_heavy(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_two_schedules_at_once_are_refused() -> None:
    assert any("schedule.warmup_epochs" in problem for problem in problems("schedule=[cosine,plateau]"))


def test_several_values_need_multirun() -> None:
    (problem,) = problems("lr=0.1,0.2")
    assert problem == "`lr` has several values: add -m to run one job for each. Received: lr=0.1,0.2."


def test_every_value_of_a_sweep_is_checked_before_the_first_job() -> None:
    found = problems("-m", "lr=0.1,-1", "model=cnn,resnet", "epochs=1,2,many")
    assert [problem.split("`")[1] for problem in found] == ["lr", "schedule.peak", "model", "epochs"]


def test_a_sweep_on_several_machines_is_refused() -> None:
    assert problems("-m", "strategy=cpu,multi_worker", "resume=never") == [
        "`strategy` multi_worker is for single runs: give each run its own command, without -m."
    ]


def test_a_sweep_knows_its_keys() -> None:
    jobs = commandline.check(["-m", "model=cnn,mobilenet_v1", "seed=0,1", "epochs=3"])
    assert jobs is not None
    assert (jobs.multirun, jobs.swept_keys, jobs.first.option("model")) == (True, ["model", "seed"], "cnn")


def test_a_value_that_cannot_be_parsed_is_told_in_one_line() -> None:
    (problem,) = problems("model.widths=[1,2")
    assert "\n" not in problem


def test_a_home_folder_is_found_whatever_the_shell(
    command_line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ["a=~/x", "-m", "b=~/x,~/y", 'c="~/x"', "d=x~/y", "~e", "f='a,~/b'"]
    assert commandline.with_home(words) == [
        f"a={tmp_path}/x", "-m", f"b={tmp_path}/x,{tmp_path}/y", 'c="~/x"', "d=x~/y", "~e", "f='a,~/b'"
    ]  # fmt: skip
    done = command_line("dataset=fer2013", "dataset.path=~/no.csv", HOME=str(tmp_path))
    assert done.returncode == 2
    assert f"`dataset.path` must be an existing path. Received: dataset.path='{tmp_path}/no.csv'." in done.stderr


@pytest.mark.parametrize(
    ("typed", "key", "value"),
    [
        ("name=20260913", "name", "20260913"),
        ("name=1e3", "name", "1e3"),
        ("name=True", "name", "True"),
        ("tracking.experiment=2026", "tracking.experiment", "2026"),
        (f"resume={'1' * 32}", "resume", "1" * 32),
    ],
)
def test_a_number_typed_for_a_text_is_the_text(typed: str, key: str, value: str) -> None:
    jobs = commandline.check(["lr=1e-3", typed])
    assert jobs is not None
    found: Any = jobs.first.model_dump()
    for part in key.split("."):
        found = found[part]
    assert found == value
    assert jobs.arguments == ("lr=1e-3", f"{key}='{value}'"), "as Hydra is to read it"


def test_an_id_that_looks_like_a_number_names_its_run() -> None:
    for run_id in ("1" * 32, f"1234e{'5' * 27}"):
        jobs = commandline.check(["pruning=channels", "pruning.ratio=0.5", f"pruning.run={run_id}"])
        assert jobs is not None
        assert jobs.first.pruning["run"] == run_id


def test_numbers_typed_for_texts_of_a_sweep_and_of_its_launcher_are_texts() -> None:
    jobs = commandline.check(["-m", "name=1,2", "hydra/launcher=submitit_slurm", "hydra.launcher.account=0123"])
    assert jobs is not None
    assert jobs.arguments[1] == "name='1','2'"
    assert jobs.launcher is not None
    assert jobs.launcher["account"] == "0123"


@pytest.mark.parametrize("typed", ["name=[1]", "name={a: 1}", "lr=abc", "epochs=1.5"])
def test_what_is_neither_a_text_nor_what_is_wanted_is_refused(typed: str) -> None:
    assert problems(typed)[0].startswith(f"`{typed.partition('=')[0]}` must be ")


@pytest.mark.parametrize(
    "typed",
    ["epochs=123456789012345678901234567890", "dataset.train_size=1e12", "dataset.train_size=1000000000000",
     "batch_size=99999999999", "folds=99999999999", "model.widths=[99999999999]", "strategy.threads=100000",
     "tracking.timeout_seconds=1e30", "dataset.seed=99999999999"],
)  # fmt: skip
def test_a_number_beyond_what_can_be_counted_is_refused(typed: str) -> None:
    assert problems(typed)[0].startswith(f"`{typed.partition('=')[0]}")


def test_every_override_that_cannot_be_read_is_told_at_once() -> None:
    found = problems("name=a#b", "model.widths=[1,2", "lr=-1")
    assert [problem.split("`")[1] for problem in found] == ["name", "model.widths"]


def test_a_sweep_may_be_asked_for_by_the_mode_of_hydra() -> None:
    jobs = commandline.check(["hydra.mode=MULTIRUN", "seed=0,1"])
    assert jobs is not None
    assert (jobs.multirun, jobs.swept_keys) == (True, ["seed"])


def test_configurations_lie_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "it's, #1 {x}"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "tiny.yaml").write_text("defaults: [cnn]\nwidths: [4, 4]\n")
    jobs = commandline.check([f"--config-dir={folder}", "model=tiny"])
    assert jobs is not None
    assert jobs.first.model["widths"] == [4, 4]


def test_what_hydra_gives_to_a_job_is_known_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = commandline.surroundings(["hydra.run.dir='a b/x'", "+hydra.job.env_set.CUDA_VISIBLE_DEVICES=1"])
    assert found.folder == tmp_path / "a b" / "x"
    assert found.environment["CUDA_VISIBLE_DEVICES"] == "1"
    assert commandline.surroundings(["-m", "seed=0,1", "hydra.sweep.dir=s"]).folder == tmp_path / "s"
    assert commandline.surroundings(["hydra.run.dir='${hydra:job.num}'"]).folder is None


def test_a_reference_that_leads_nowhere_is_told_in_one_line() -> None:
    (problem,) = problems("lr=${nowhere}")
    assert "cannot be resolved" in problem
    assert "nowhere" in problem


def test_a_folder_of_own_configurations_is_found(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "tiny.yaml").write_text("defaults: [cnn]\nwidths: [4, 4]\n")
    jobs = commandline.check(["--config-dir", str(tmp_path), "model=tiny"])
    assert jobs is not None
    assert jobs.first.model["widths"] == [4, 4]


def test_the_console_script_is_the_same_program(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("fer-exp")
    done = subprocess.run([script, "epochs=0"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr.count("error:")) == (2, 1)


def test_an_unreachable_tracking_server_is_refused_before_training(command_line: CommandLine, tmp_path: Path) -> None:
    done = command_line("tracking.uri=http://127.0.0.1:9", "dataset.train_size=70")
    assert done.returncode == 2
    assert "error: `tracking.uri` must be a server that answers within 5 seconds" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "mlflow.db").exists()


def test_a_chain_is_sent_to_its_own_command() -> None:
    with pytest.raises(ConfigError) as caught:
        commandline.check(["compression=prune_in_rounds"])
    assert str(caught.value) == (
        "`compression` is for finished runs: python -m fer_exp.compress <run id> compression=<name>."
    )


def test_a_configuration_can_be_composed_inside_a_job() -> None:
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(config.CONF)):
        assert commandline.composed(["lr=0.25"])["lr"] == 0.25
        assert hydra.compose("config", ["lr=0.5"]).lr == 0.5  # the job's own goes on


def test_a_command_that_trains_nothing_asks_nothing_of_the_model() -> None:
    with pytest.raises(ConfigError, match="which is a clip. Received: model=cnn"):
        commandline.check(["dataset.kind=clip"])
    jobs = commandline.check(["dataset.kind=clip"], groups=["dataset"])
    assert jobs is not None
    assert jobs.first.dataset["kind"] == "clip"
    with pytest.raises(ConfigError, match=r"`dataset.frames` must be"):
        commandline.check(["dataset.kind=clip", "dataset.frames=1"], groups=["dataset"])
