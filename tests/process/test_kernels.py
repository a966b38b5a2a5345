"""oneDNN computes unless the environment says otherwise, and what computes makes runs equal or not."""

import subprocess
import sys

import pytest
from contracts import compose

from fer_exp.errors import ConfigError
from fer_exp.options import commandline, fingerprint
from fer_exp.process import kernels

ASK = (
    "import {first}; import fer_exp; from fer_exp.process import kernels;"
    "from tensorflow.python.util import _pywrap_util_port as port; print(kernels.chosen(), port.IsMklEnabled())"
)


def test_it_is_on_unless_somebody_has_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    environment: dict[str, str] = {}
    kernels.choose(environment)
    assert environment == {kernels.SWITCH: "1"}
    decided = {kernels.SWITCH: "0"}
    kernels.choose(decided)
    assert decided == {kernels.SWITCH: "0"}


@pytest.mark.parametrize(("value", "answer"), [(None, "oneDNN True"), ("0", "Eigen False")])
def test_tensorflow_computes_with_what_is_said(value: str | None, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(kernels.SWITCH)
    if value is not None:
        monkeypatch.setenv(kernels.SWITCH, value)
    words = [sys.executable, "-c", ASK.format(first="fer_exp")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == answer
    assert done.stderr == "", "nothing was asked for, and nothing is wrong"


def test_where_tensorflow_was_imported_before_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorflow.python.util import _pywrap_util_port

    monkeypatch.setattr(_pywrap_util_port, "IsMklEnabled", lambda: False)
    environment = {kernels.SWITCH: "1"}  # set too late
    kernels.choose(environment)
    assert environment == {kernels.SWITCH: "0"}


@pytest.mark.parametrize("value", ["2", "on", ""])
def test_another_value_is_refused_in_words(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kernels.SWITCH, value)
    with pytest.raises(ConfigError) as caught:
        commandline.check(["epochs=1"])
    assert str(caught.value) == (
        "The environment variable TF_ENABLE_ONEDNN_OPTS must be 1 (oneDNN's kernels) or 0 (Eigen's). "
        f"Received: {value!r}."
    )


def test_runs_of_other_kernels_are_other_runs() -> None:
    found = fingerprint.identity(compose())
    assert found.fingerprint == fingerprint.of(compose())
    assert found.by_other_kernels == fingerprint.of(compose(), "Eigen")
    assert found.fingerprint != found.by_other_kernels
