"""A builder's signature is read from its source, without importing what the builder needs."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from fer_exp import signature
from fer_exp.options.config import PACKAGE

BUILDER = '''
"""A model."""
from typing import Literal

import a_module_that_does_not_exist
from fer_exp.signature import Fraction, PositiveInt


def build(input_shape: a_module_that_does_not_exist.Shape, num_classes: int, *, units: PositiveInt,
          dropout: Fraction, kind: Literal["a", "b"], names: list[str] | None) -> None:
    """Builds it.

    Args:
        input_shape: Not an option.
        units: Width,
            over two lines.
        dropout: Share dropped, 0-1.

    Returns:
        Nothing.
    """


def no_type(*, units) -> None: ...


def heavy_type(*, shape: a_module_that_does_not_exist.Shape) -> None: ...
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"builders_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(BUILDER)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return name


def test_runtime_arguments_and_options_are_told_apart_at_the_bare_star(module: str) -> None:
    found = signature.read(f"{module}.build")
    assert found.runtime == ("input_shape", "num_classes")
    assert found.options == ("units", "dropout", "kind", "names")


def test_the_sentences_of_the_docstring_are_found_on_one_line_each(module: str) -> None:
    docs = signature.read(f"{module}.build").docs
    assert docs["units"] == "Width, over two lines."
    assert docs["dropout"] == "Share dropped, 0-1."
    assert "kind" not in docs


def test_the_schema_is_strict_and_takes_no_other_keys(module: str) -> None:
    schema = signature.read(f"{module}.build").schema
    good = {"units": 3, "dropout": 0.5, "kind": "a", "names": None}
    assert schema(**good).model_dump() == good
    for change in ({"units": 0}, {"units": "3"}, {"dropout": 1.5}, {"kind": "c"}, {"names": [1]}, {"extra": 1}):
        with pytest.raises(ValidationError):
            schema(**{**good, **change})
    with pytest.raises(ValidationError):
        schema(units=3)


def test_a_module_or_function_that_does_not_exist_is_a_lookup_error(module: str) -> None:
    with pytest.raises(LookupError, match="there is no module fer_exp.model.vgg"):
        signature.read("fer_exp.model.vgg.build")
    with pytest.raises(LookupError, match="there is no module no_such_package.cnn"):
        signature.read("no_such_package.cnn.build")
    with pytest.raises(LookupError, match=f"there is no function make in {module}.py"):
        signature.read(f"{module}.make")


def test_an_option_without_a_type_is_named(module: str) -> None:
    with pytest.raises(TypeError, match="option `units` has no type annotation"):
        signature.read(f"{module}.no_type")


def test_an_option_whose_type_needs_a_heavy_import_is_named(module: str) -> None:
    with pytest.raises(TypeError, match="option `shape`: annotation needs a name that is not imported from a light"):
        signature.read(f"{module}.heavy_type")


@pytest.mark.parametrize(
    ("metric", "key", "mode"),
    [("train/loss", "loss", "min"), ("val/macro_f1", "val_macro_f1", "max"), ("val/loss", "val_loss", "min")],
)
def test_metrics_have_a_name_in_keras_logs_and_a_direction(metric: str, key: str, mode: str) -> None:
    assert (signature.log_key(metric), signature.log_mode(metric)) == (key, mode)


def test_reading_every_signature_imports_neither_tensorflow_nor_keras() -> None:
    targets = [
        f"fer_exp.{path.parent.name}.{path.stem}.build"
        for path in PACKAGE.glob("*/*.py")
        if "\ndef build(" in path.read_text()
    ]
    assert "fer_exp.model.mobilenet_v2.build" in targets
    program = (
        "import sys; from fer_exp.signature import read\n"
        "for target in sys.argv[1:]: read(target)\n"
        "print(sorted({'tensorflow', 'keras', 'mlflow', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, *targets], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_constant_of_a_module_is_read_without_importing_it(module: str) -> None:
    file = Path(signature.source_of(f"{module}.build")[0])
    file.write_text(file.read_text() + '\nTAKES: tuple[str, ...] = ("sound", "clip")\nMADE = tuple("ab")\n')
    signature.constant.cache_clear()
    assert signature.constant(f"{module}.build", "TAKES") == ("sound", "clip")
    assert signature.constant(f"{module}.build", "GIVES") is None
    with pytest.raises(TypeError, match="MADE must be written out, not computed"):
        signature.constant(f"{module}.build", "MADE")
