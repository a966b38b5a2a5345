"""The command line as a person types it: mistakes are told at once, in words, before anything heavy or half-written."""

import subprocess
import sys
from pathlib import Path

import hydra
import pytest
from conftest import CommandLine, environment_for

from fer_exp import commandline, config
from fer_exp.errors import ConfigError

HEAVY = ("tensorflow", "keras", "mlflow", "pandas", "matplotlib", "sklearn")
# Ends the process where something heavy is about to be imported, and says so.
WITHOUT_ANYTHING_HEAVY = f"""
import os, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in {HEAVY}:
            sys.stdout.flush()
            print("refused:", name, file=sys.stderr, flush=True)
            os._exit(9)
sys.meta_path.insert(0, Refuse())
from fer_exp.__main__ import main
main()
"""


def without_anything_heavy(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_ANYTHING_HEAVY, *arguments],
        cwd=folder, env=environment_for(), capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_mistake_is_told_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    done = without_anything_heavy(tmp_path, "lr=-1")
    assert done.returncode == 2
    assert done.stderr.startswith("error: `lr` must be greater than 0.")


def test_the_configuration_is_on_the_screen_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    done = without_anything_heavy(tmp_path, "lr=0.25")
    assert (done.returncode, done.stderr) == (9, "refused: tensorflow\n")
    assert "lr = 0.25" in done.stdout
    assert "model = cnn" in done.stdout


def test_a_run_says_nothing_on_the_standard_error(tmp_path: Path) -> None:
    """A cold start: no line of CUDA, oneDNN, absl or XNNPACK, and no progress bar of a library."""
    words = [
        "debug=fast",
        "model.widths=[4,4]",
        "model.head_units=8",
        "export.kinds=[float32]",
        "export.latency_calls=1",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "fer_exp", *words], cwd=tmp_path,
        env={key: value for key, value in environment_for().items() if key != "TF_CPP_MIN_LOG_LEVEL"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
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


def test_help_lists_groups_and_presets(command_line: CommandLine, tmp_path: Path) -> None:
    done = command_line("--help")
    assert done.returncode == 0
    for text in (
        "model: cnn, fer_resnet, mobilenet_v1, mobilenet_v2",
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
        "`model` must be one of cnn, fer_resnet, mobilenet_v1, mobilenet_v2. Received: model=mobilnet_v2. "
        "Did you mean model=mobilenet_v2?"
    ]


def test_an_unknown_group_names_the_nearest() -> None:
    (problem,) = problems("modle=cnn")
    assert "Did you mean `model`?" in problem


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
    words = ["a=~/x", "-m", "b=~/x,~/y", 'c="~/x"', "d=x~/y", "~e"]
    assert commandline.with_home(words) == [
        f"a={tmp_path}/x", "-m", f"b={tmp_path}/x,{tmp_path}/y", 'c="~/x"', "d=x~/y", "~e"
    ]  # fmt: skip
    done = command_line("dataset=fer2013", "dataset.path=~/no.csv", HOME=str(tmp_path))
    assert done.returncode == 2
    assert f"`dataset.path` must be an existing path. Received: dataset.path='{tmp_path}/no.csv'." in done.stderr


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
