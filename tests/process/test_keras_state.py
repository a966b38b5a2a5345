"""What Keras computes with does not depend on a file in the home folder, nor on variables meant for other programs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fer_exp.errors import ConfigError
from fer_exp.options import commandline
from fer_exp.process import keras_state

STATE = (
    "import fer_exp; import {first}; from fer_exp.process import keras_state; print(keras_state.described());"
    "import keras; print(keras.layers.Dense(2).compute_dtype, keras.layers.BatchNormalization().epsilon)"
)
STRANGE = {"floatx": "float16", "epsilon": 0.01, "image_data_format": "channels_first", "backend": "jax"}


def home(folder: Path, values: Any) -> dict[str, str]:
    (folder / "keras.json").write_text(values if isinstance(values, str) else json.dumps(values))
    return {**os.environ, "KERAS_HOME": str(folder)}


@pytest.mark.parametrize("first", ["keras", "fer_exp.network.dropout", "tensorflow"])
def test_a_file_in_the_home_folder_changes_nothing(first: str, tmp_path: Path) -> None:
    environment = home(tmp_path, STRANGE) | {"KERAS_BACKEND": ""}
    words = [sys.executable, "-c", STATE.format(first=first)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines() == ["tensorflow, float32, epsilon 1e-07, channels_last", "float32 0.001"]


def test_what_a_program_around_this_one_has_set_is_set_back() -> None:
    import keras

    keras.config.set_floatx("float16")
    keras.config.set_epsilon(0.1)
    keras.config.set_image_data_format("channels_first")
    keras_state.settle()
    assert keras_state.described() == "tensorflow, float32, epsilon 1e-07, channels_last"


def test_an_environment_that_says_nothing_has_no_problems(tmp_path: Path) -> None:
    assert keras_state.problems({"KERAS_HOME": str(tmp_path)}) == []
    assert keras_state.problems(home(tmp_path, STRANGE) | {"KERAS_BACKEND": "tensorflow"}) == []
    assert keras_state.problems(home(tmp_path, "no json") | {"KERAS_BACKEND": ""}) == []


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {"KERAS_BACKEND": "torch"},
            "The environment variable KERAS_BACKEND must be tensorflow, .* Received: 'torch'.",
        ),
        ({"KERAS_BACKEND": "jax"}, "For one command: env -u KERAS_BACKEND python -m fer_exp"),
        ({"KERAS_MAX_EPOCHS": "3"}, "KERAS_MAX_EPOCHS must not be set: it ends each .* Received: '3'. Use epochs="),
        ({"KERAS_MAX_STEPS_PER_EPOCH": "9"}, "KERAS_MAX_STEPS_PER_EPOCH must not be set: .* Use limit_batches="),
    ],
)
def test_variables_that_would_break_or_cut_a_training_are_refused_at_once(
    variables: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=told) as error:
        commandline.check(["epochs=1"])
    assert len(error.value.problems) == 1


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"floatx": "bfloat16"}, "`floatx` must be float16, float32 or float64, .* Received: 'bfloat16' in "),
        ({"epsilon": "1e-7"}, "`epsilon` must be a number such as 1e-07, .* Received: '1e-7' in "),
        ({"image_data_format": "NHWC"}, "`image_data_format` must be channels_last or channels_first"),
        ([1, 2], r"must hold names and values. Received: \[1, 2\]\."),
    ],
)
def test_a_file_that_keras_cannot_be_imported_with_is_told_before_it_is(
    values: Any, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", home(tmp_path, values)["KERAS_HOME"])
    with pytest.raises(ConfigError, match=told):
        commandline.check(["epochs=1"])


def test_variables_that_numbers_depend_on_are_told_and_others_are_not() -> None:
    silent = {
        "TF_CPP_MIN_LOG_LEVEL": "3", "TF_CONFIG": "{}", "KERAS_HOME": "/k", "KERAS_BACKEND": "tensorflow", "HOME": "/",
        "TF_ENABLE_ONEDNN_OPTS": "1", "KMP_INIT_AT_FORK": "FALSE", "MLFLOW_TRACKING_PASSWORD": "secret",
        "TF_TOKEN_app_terraform_io": "secret", "TF_VAR_password": "secret", "TF_CLI_CONFIG_FILE": "/x",
    }  # fmt: skip
    loud = {
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=true", "NVIDIA_TF32_OVERRIDE": "0", "TF_XLA_FLAGS": "x",
        "ONEDNN_DEFAULT_FPMATH_MODE": "BF16", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0",
    }  # fmt: skip
    assert keras_state.decisive({**silent, **loud}) == loud
    assert keras_state.told({**silent, "XLA_FLAGS": "a", "NVIDIA_TF32_OVERRIDE": "0"}) == (
        "NVIDIA_TF32_OVERRIDE=0 XLA_FLAGS=a"
    )
    assert keras_state.told(silent) == "none"
