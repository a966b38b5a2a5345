"""The typed root of the configuration, its rules, and the one way to build an option.

Called by the command line (to refuse bad input before TensorFlow is imported) and by `experiment` (to build the
options of a checked configuration). It knows no option by name: what an option asks of others its group's contract
says, in `problems(experiment)`.
"""

import importlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fer_exp.data import source_choice
from fer_exp.errors import ConfigError
from fer_exp.options.explain import describe
from fer_exp.signature import (
    Metric,
    ModelName,
    NonNegativeFloat,
    NonNegativeInt,
    OutputPath,
    PositiveFloat,
    PositiveInt,
    RunId,
    argument_docs,
    read,
    source_of,
)
from fer_exp.signature import takes_text as takes_text_only

PACKAGE = Path(__file__).parents[1]
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"  # in a wheel, in a checkout
GROUPS = (
    "dataset",
    "model",
    "augmentation",
    "optimizer",
    "schedule",
    "loss",
    "finetune",
    "distillation",
    "pruning",
    "strategy",
    "export",
    "tracking",
)
MISSING = "???"
STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


class EarlyStopping(BaseModel):
    """When to stop a stage before its last epoch.

    Attributes:
        monitor: Metric that has to improve.
        patience: Epochs without improvement after which the stage ends.
        min_delta: Smallest change that counts as an improvement, in the unit of the metric.
    """

    model_config = STRICT
    monitor: Metric
    patience: PositiveInt
    min_delta: NonNegativeFloat


class Checkpoint(BaseModel):
    """Which weights are evaluated, exported and logged.

    Attributes:
        monitor: Metric that ranks the epochs.
        keep: `best` epoch by the monitored metric, or the `last` one.
    """

    model_config = STRICT
    monitor: Metric
    keep: Literal["best", "last"]


Corruption = Literal[
    "blur", "noise", "brightness", "darkness", "contrast", "occlusion", "rotation", "low_resolution", "jpeg"
]


class Evaluation(BaseModel):
    """What is measured of a finished model beside its metrics.

    Attributes:
        temperature_scaling: Divide the logits by a number fitted on the validation split, in the model that leaves the
            run too.
        grad_cam: Largest number of hits, and of misses, that are shown with a map of what speaks for them, 0 to 200;
            0: no sheet.
        robustness: Corruptions under which accuracy is measured, or `all` of them.
        robustness_images: Largest number of images for that, >= 1; each class has its share.
    """

    model_config = STRICT
    temperature_scaling: bool
    grad_cam: Annotated[int, Field(ge=0, le=200)]
    robustness: Literal["all"] | list[Corruption]
    robustness_images: PositiveInt


class Experiment(BaseModel):
    """One run, as composed by Hydra and checked.

    Attributes:
        name: Name of the run in MLflow; null makes one from what differs from the defaults.
        lr: Peak learning rate, > 0; the schedule starts from it and the fine-tuning stages scale it.
        epochs: Passes over the training split, >= 1, over all stages together.
        batch_size: Images a step, over all replicas together, >= 1.
        seed: Seed of weights, data order and augmentation, 0 to 2^31 - 1.
        folds: Parts that train and val are divided into together if `fold` is given, >= 2; the same for every seed.
        fold: The part to validate on, from 0, the others being trained on; null takes the data set's own val.
        sampling: How often classes are drawn in training: natural as they are, balanced equally, square_root between.
        deterministic: True makes every operation repeatable bit for bit with as many threads, at the cost of speed.
        precision: Number format of the computation; auto chooses for the device.
        monitor: Metric that checkpoint and early stopping follow unless told otherwise.
        early_stopping: null trains every epoch.
        checkpoint: Which epoch's weights are kept.
        evaluation: What is measured of the finished model beside its metrics.
        test_time_augmentation: Views of each test image whose predictions are averaged; reported as `test_<views>/...`
            beside the plain numbers.
        resume: auto goes on with an unfinished run of the same configuration, never does not; a run id names the one
            that must be continued.
        limit_batches: Use only so many batches of each split; null uses all.
        overfit_batches: Train, validate and test on the same so many batches; a sound model reaches 100 %.
        registered_model: Name under which the model is registered in MLflow as a new version, of a sweep that of the
            best run; null registers nothing.
        strict: True refuses data with the same image in two splits, which otherwise is warned about and recorded.
        cache_dir: Folder for parsed data sets; FER_EXP_CACHE=<folder> sets it for every command.
    """

    model_config = STRICT
    name: str | None
    lr: PositiveFloat
    epochs: PositiveInt
    batch_size: PositiveInt
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    folds: Annotated[int, Field(ge=2, lt=2**31)]
    fold: NonNegativeInt | None
    sampling: Literal["natural", "balanced", "square_root"]
    deterministic: bool
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
    monitor: Metric
    early_stopping: EarlyStopping | None
    checkpoint: Checkpoint
    evaluation: Evaluation
    test_time_augmentation: Literal["none", "flip", "ten_crop"]
    resume: Literal["auto", "never"] | RunId
    limit_batches: PositiveInt | None
    overfit_batches: PositiveInt | None
    registered_model: ModelName | None
    strict: bool
    cache_dir: OutputPath
    dataset: dict[str, Any]
    model: dict[str, Any]
    augmentation: dict[str, Any]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    loss: dict[str, Any]
    finetune: dict[str, Any]
    distillation: dict[str, Any]
    pruning: dict[str, Any]
    strategy: dict[str, Any]
    export: dict[str, Any]
    tracking: dict[str, Any]

    def option(self, group: str) -> str:
        """Returns the name of the option chosen for `group`, for example `cnn` for `model`."""
        return option_name(getattr(self, group))


def option_name(node: Mapping[str, Any]) -> str:
    """Returns the option a group's node points at: `fer_exp.model.cnn.build` -> `cnn`."""
    return str(node["_target_"]).split(".")[-2]


def group_of(target: str) -> str:
    """Returns the package of a builder: `fer_exp.model.cnn.build` -> `model`."""
    return ".".join(target.split(".")[1:-2])


def check(values: Mapping[str, Any], groups: Sequence[str] = GROUPS) -> Experiment:
    """Checks a composed configuration whole.

    Args:
        values: Plain Python containers, interpolations resolved.
        groups: Those whose rules about each other count; a command that trains nothing asks for that of the data alone.

    Returns:
        The typed configuration; its group nodes are known to fit their builders.

    Raises:
        ConfigError: With every problem of every group, each naming key, rule, value received and nearest valid key.
    """
    problems: list[str] = []
    if isinstance(values.get("dataset"), Mapping):
        values = {**values, "dataset": source_choice.given(values["dataset"])}
    for group in GROUPS:
        if isinstance(values.get(group), Mapping):
            problems += problems_of(group, values[group])
    try:
        experiment = Experiment(**values)
    except ValidationError as error:
        docs = argument_docs(Experiment.__doc__ or "")
        problems = [*describe(error, values, "", docs, list(Experiment.model_fields), "the configuration"), *problems]
    if not problems:
        problems = list(_cross_field_problems(Experiment(**values), groups))
    if problems:
        raise ConfigError(problems)
    return experiment


def takes_text(values: Mapping[str, Any], key: str) -> bool:
    """Tells whether a key takes nothing but texts, or null.

    Args:
        values: A composed configuration, which says what option each group has.
        key: Dotted, for example `name` or `tracking.experiment`.
    """
    *above, last = key.split(".")
    node: Any = values
    for part in above:
        node = node.get(part) if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping):
        return False
    if not above:
        field = Experiment.model_fields.get(last)
    else:
        target = str(node.get("builder", node.get("_target_", "")))
        try:
            field = read(target).schema.model_fields.get(last) if target.startswith("fer_exp.") else None
        except LookupError:
            return False
    # Pydantic keeps what `Annotated` adds beside the type itself.
    return field is not None and takes_text_only(field.annotation)


def run_ids(experiment: Experiment) -> list[tuple[str, str]]:
    """Returns the keys that name earlier runs, each with the id that it names."""
    found = [] if experiment.resume in ("auto", "never") else [("resume", experiment.resume)]
    for group in GROUPS:
        node = getattr(experiment, group)
        for option in read(str(node["_target_"])).run_ids:
            value = node[option]
            found += [(f"{group}.{option}", run_id) for run_id in ([value] if isinstance(value, str) else value or ())]
    return found


def build(node: Mapping[str, Any], *runtime: Any, **changes: Any) -> Any:
    """Imports the builder of an option and calls it.

    Args:
        node: The group's node: `_target_` and the options.
        *runtime: The runtime arguments that the group's contract names.
        **changes: Options to replace, for example `peak` of a schedule in a fine-tuning stage.

    Raises:
        ConfigError: If the options do not fit the builder's signature.
    """
    group = group_of(str(node["_target_"]))
    options = {key: value for key, value in node.items() if key != "_target_"} | changes
    problems = problems_of(group, {**node, **changes})
    if problems:
        raise ConfigError(problems)
    target = str(node["_target_"])
    checked = read(target).schema(**options)
    module, _, function = target.rpartition(".")
    builder = getattr(importlib.import_module(module), function)
    return builder(*runtime, **{name: getattr(checked, name) for name in options})


def glance(node: Mapping[str, Any], *runtime: Any) -> None:
    """Lets an option refuse what it certainly cannot do here, before anything heavy is imported.

    An option whose module has no function `glance` has nothing to say; one that has it imports nothing heavy.

    Args:
        node: The group's node, checked.
        *runtime: The runtime arguments that the group's contract names.

    Raises:
        UserError: What its builder would raise after minutes.
    """
    function = function_of(node, "glance")
    if function is not None:
        function(*runtime, **{key: value for key, value in node.items() if key != "_target_"})


def fewer(node: Mapping[str, Any], images: int) -> dict[str, Any]:
    """Returns the node of a data set that makes no more images of each split than are wanted, where that is cheaper.

    An option whose module has no function `fewer` is left as it is: what it reads is cut down afterwards.

    Args:
        node: The group's node, checked.
        images: Most images of a split.
    """
    function = function_of(node, "fewer")
    return dict(node) if function is None else {**node, **function(images, node)}


def function_of(node: Mapping[str, Any], name: str) -> Callable[..., Any] | None:
    """Returns a function that the module of an option defines beside its builder; None if it does not.

    Only the module of an option that does is imported.

    Args:
        node: The group's node.
        name: Of the function.
    """
    target = str(node["_target_"])
    path, _ = source_of(target)
    if not re.search(rf"^def {name}\(", path.read_text(encoding="utf-8"), re.MULTILINE):
        return None
    function: Callable[..., Any] = getattr(importlib.import_module(target.removesuffix(".build")), name)
    return function


def problems_of(group: str, node: Mapping[str, Any], key: str | None = None) -> list[str]:
    """Returns what is wrong with an option, one line for each key.

    Args:
        group: Package of the builder, for example `model`.
        node: `_target_` and the options.
        key: Where the node stands in the configuration, if not at the root under the name of the group.
    """
    key = key or group
    target = str(node.get("_target_", "nothing"))
    if not target.startswith(f"fer_exp.{group}.") or not target.endswith(".build"):
        return [f"`{key}._target_` must be a builder, fer_exp.{group}.<option>.build. Received: {target}."]
    try:
        signature = read(target)
    except LookupError as error:
        return [f"`{key}._target_` does not lead to a builder: {error}. Received: {target}."]
    # A value that Hydra calls missing is left out, so that the schema finds it missing.
    options = {key: value for key, value in node.items() if key != "_target_" and value != MISSING}
    try:
        signature.schema(**options)
    except ValidationError as error:
        owner = f"{key.replace('.', '/')}={option_name(node)}"
        return describe(error, options, f"{key}.", signature.docs, list(signature.options), owner)
    return []


def _cross_field_problems(experiment: Experiment, groups: Sequence[str] = GROUPS) -> Iterator[str]:
    """The rules that no single option can know: those of each group, and those of the scalars."""
    for group in groups:
        contract = importlib.import_module(f"fer_exp.{group}")
        if hasattr(contract, "problems"):
            yield from contract.problems(experiment)
    e = experiment
    if e.fold is not None and e.fold >= e.folds:
        yield f"`fold` must be smaller than folds={e.folds}: folds are counted from 0. Received: fold={e.fold}."
    if e.limit_batches and e.overfit_batches:
        yield (
            "`limit_batches` and `overfit_batches` exclude each other. "
            f"Received: limit_batches={e.limit_batches} overfit_batches={e.overfit_batches}. Set one of them to null."
        )
