"""A builder's typed signature, read from its source and used as the schema of its options.

Called by `config` to check options before TensorFlow is imported: the module that holds a builder is parsed, never
imported. Builders import their option types from here; this module knows no group and no option by name.
"""

import ast
import importlib
import importlib.util
import inspect
import os
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from fer_exp.fit import epoch_metrics

_MOST = 2**31  # what TensorFlow, and any machine, can count to
PositiveInt = Annotated[int, Field(gt=0, lt=_MOST)]
NonNegativeInt = Annotated[int, Field(ge=0, lt=_MOST)]
Threads = Annotated[int, Field(gt=0, le=4096)]
"""Threads or processes at once; more than any machine has cores would be more than a system starts."""
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
OpenFraction = Annotated[float, Field(ge=0, lt=1)]
InputPath = Annotated[str, AfterValidator(lambda path: _existing(path))]
"""A file or folder that must exist, no device or pipe; a leading `~` is the home folder."""
OutputPath = Annotated[str, AfterValidator(lambda path: _expandable(path))]
"""A file or folder that is made if it is not there; a leading `~` is the home folder."""
RunId = Annotated[str, AfterValidator(lambda text: run_id(text))]
ModelName = Annotated[str, AfterValidator(lambda text: model_name(text))]
ImageSize = Annotated[int, Field(ge=32, le=1024)]
Degrees = Annotated[float, Field(ge=0, le=180)]
if typing.TYPE_CHECKING:
    Metric = str
else:
    Metric = Literal[epoch_metrics.recorded()]
    """What an epoch measures, by the names used in MLflow."""


LONG_ID, SHORT_ID = 32, 8  # hex digits of a run's id, and how many of them name a run where it is the only such


def is_run_id(text: str) -> bool:
    """Tells whether a text can be the id of a run, or its beginning."""
    return SHORT_ID <= len(text) <= LONG_ID and not set(text) - set("0123456789abcdef")


def run_id(text: str) -> str:
    """Returns the id of a run, or its beginning, as it is.

    Raises:
        ValueError: If it is none; the message names what it must be.
    """
    if not is_run_id(text):
        raise ValueError(f"the id of a run ({LONG_ID} hex digits, or the first {SHORT_ID})")
    return text


def model_name(text: str) -> str:
    """Returns the name of a registered model as it is.

    Raises:
        ValueError: If it cannot be one; the message names what it must be.
    """
    if not re.fullmatch(r"[\w.-][\w. -]{0,199}", text) or is_run_id(text) or text.endswith(".tflite"):
        raise ValueError("a name of letters, digits, spaces and ._-, not the id of a run or a .tflite file")
    return text


def _expandable(path: str) -> str:
    if path.startswith("~") and os.path.expanduser(path) == path:
        raise ValueError("a path without ~, because nobody knows whose home folder that is (HOME is not set)")
    return path


def _existing(path: str) -> str:
    place = Path(_expandable(path)).expanduser()
    if not place.exists():
        raise ValueError("an existing path")
    if not (place.is_file() or place.is_dir()):
        raise ValueError("a file or a folder, not a device or a pipe")
    return path


def log_key(metric: str) -> str:
    """Returns the name Keras' logs give a metric: `val/loss` -> `val_loss`, `train/loss` -> `loss`."""
    return metric.removeprefix("train/").replace("/", "_")


def log_mode(metric: str) -> Literal["min", "max"]:
    """Returns in which direction a metric improves."""
    return "min" if metric.endswith("loss") else "max"


# Annotations may name what these modules export; anything heavier would import TensorFlow just to check an option.
_LIGHT_MODULES = ("typing.", "collections.abc.", "pathlib.", "pydantic.", "fer_exp.")


@dataclass(frozen=True)
class Signature:
    """What a builder takes.

    Attributes:
        target: Dotted path of the builder, `fer_exp.<group>.<option>.build`.
        runtime: Names of the arguments the framework passes (everything before the bare `*`).
        options: Names of the keyword-only arguments, which are the keys of the option's yaml.
        input_paths: Those of the options that are files or folders to be read.
        run_ids: Those that are ids of runs, or lists of them.
        docs: The docstring's sentence about each argument.
        schema: A strict pydantic model of the options.
    """

    target: str
    runtime: tuple[str, ...]
    options: tuple[str, ...]
    input_paths: tuple[str, ...]
    run_ids: tuple[str, ...]
    docs: Mapping[str, str]
    schema: type[BaseModel]


def source_of(target: str) -> tuple[Path, str]:
    """Returns the file that should define `target` and the name of the function in it.

    Raises:
        LookupError: If there is no such module.
    """
    module_name, _, function = target.rpartition(".")
    try:
        spec = importlib.util.find_spec(module_name)
    except ModuleNotFoundError as error:
        raise LookupError(f"there is no module {module_name}") from error
    if spec is None or spec.origin is None:
        raise LookupError(f"there is no module {module_name}")
    return Path(spec.origin), function


@cache
def read(target: str) -> Signature:
    """Reads the signature of the builder `target` from its source.

    Args:
        target: Dotted path, for example `fer_exp.model.cnn.build`.

    Raises:
        LookupError: If the module or the function does not exist.
        TypeError: If an option has no annotation, or one that cannot be evaluated without heavy imports.
    """
    path, function = source_of(target)
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            break
    else:
        raise LookupError(f"there is no function {function} in {path.name}")
    annotations = [argument.annotation for argument in node.args.kwonlyargs if argument.annotation is not None]
    used = {name.id for annotation in annotations for name in ast.walk(annotation) if isinstance(name, ast.Name)}
    names = _imported_names(tree, used)
    fields: dict[str, Any] = {}
    for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if argument.annotation is None:
            raise TypeError(f"{target}: option `{argument.arg}` has no type annotation")
        annotation = _evaluate(argument.annotation, names, f"{target}: option `{argument.arg}`")
        fields[argument.arg] = (annotation, ... if default is None else ast.literal_eval(default))
    schema = create_model(
        target, __config__=ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True), **fields
    )
    return Signature(
        target=target,
        runtime=tuple(argument.arg for argument in [*node.args.posonlyargs, *node.args.args]),
        options=tuple(fields),
        input_paths=tuple(name for name, (annotation, _) in fields.items() if _is(annotation, InputPath)),
        run_ids=tuple(name for name, (annotation, _) in fields.items() if _is(annotation, RunId)),
        docs=argument_docs(ast.get_docstring(node) or ""),
        schema=schema,
    )


@cache
def constant(target: str, name: str) -> Any:
    """Returns what the module of a builder says of itself in a constant; None if it does not say that.

    Args:
        target: Dotted path, for example `fer_exp.model.cnn.build`.
        name: Of the constant, whose value is written out: texts, numbers, and tuples, lists and mappings of them.

    Raises:
        LookupError: If there is no such module.
        TypeError: If the value is computed.
    """
    path, _ = source_of(target)
    for node in ast.parse(path.read_text(encoding="utf-8"), filename=str(path)).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(one, ast.Name) and one.id == name for one in targets):
            try:
                return ast.literal_eval(node.value)
            except ValueError as error:
                raise TypeError(f"{path.name}: {name} must be written out, not computed") from error
    return None


def _is(annotation: Any, kind: Any) -> bool:
    return annotation == kind or kind in typing.get_args(annotation)


def takes_text(annotation: Any) -> bool:
    """Tells whether an option takes nothing but texts, or null; then a number that is typed for it is a text."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return takes_text(arguments[0])
    if origin is Literal:
        return all(isinstance(value, str) for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return all(takes_text(one) for one in arguments if one is not type(None))
    return annotation is str


def argument_docs(docstring: str) -> dict[str, str]:
    """Returns argument name -> its description from the `Args:` section of a Google-style docstring."""
    section = re.search(r"^(?:Args|Attributes):\n((?:[ ]{4}.*\n?|\n)+)", inspect.cleandoc(docstring), re.MULTILINE)
    if section is None:
        return {}
    entries = re.findall(r"^ {4}(\w+)(?: \([^)]*\))?: (.*(?:\n {8}.*)*)", section.group(1), re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text).strip() for name, text in entries}


def _imported_names(tree: ast.Module, used: set[str]) -> dict[str, Any]:
    """Imports those names that the annotations use, and only from light modules."""
    names: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(_LIGHT_MODULES):
            wanted = [alias for alias in node.names if (alias.asname or alias.name) in used]
            if wanted:
                module = importlib.import_module(str(node.module))
                names |= {alias.asname or alias.name: getattr(module, alias.name) for alias in wanted}
    return names


def _evaluate(annotation: ast.expr, names: dict[str, Any], place: str) -> Any:
    try:
        # The source is this package's own; builders outside `fer_exp.` are refused before this point.
        return eval(ast.unparse(annotation), {**names})  # noqa: S307
    except NameError as error:
        raise TypeError(
            f"{place}: annotation needs a name that is not imported from a light module: {error}"
        ) from error
