"""What `scripts/compression.py` measures: trainings of which some begin with, or learn from, the run of another.

All steps of a seed share data, order and seed, so their differences are paired. A step that several studies share is
one run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studies import QUICK_WITH_ADAMW

WEIGHTS = "WEIGHTS"  # stands for the file of ImageNet weights
RUN = "RUN"  # stands for the id of the run of the step that is needed


@dataclass(frozen=True)
class Step:
    """One training.

    Attributes:
        overrides: Of the command line, whole but for data, seed and tracking.
        needs: Name of the step whose run it goes on from or learns from.
    """

    overrides: tuple[str, ...]
    needs: str | None = None

    def command(self, data: Sequence[str], seed: int, weights: str, run: str, more: Sequence[str]) -> list[str]:
        """Returns the command line of one run, without the tracking URI.

        Args:
            data: Overrides of the data set.
            seed: Of weights, order and augmentation.
            weights: File of ImageNet weights.
            run: Id of the run that is needed.
            more: Overrides that come last.
        """
        own = [override.replace(WEIGHTS, weights).replace(RUN, run) for override in self.overrides]
        return [*data, *own, "tracking.experiment=compression", f"seed={seed}", *more]


@dataclass(frozen=True)
class Study:
    """Steps that are compared.

    Attributes:
        steps: In the order they are run.
        baselines: What the steps behind each of them are compared with.
        kinds: Of .tflite files, which are compared in place of steps: the second with the first, and so on.
    """

    steps: Mapping[str, Step]
    baselines: tuple[str, ...]
    kinds: tuple[str, ...] = ()


def _pruning(trained: Step, fine_tuning: tuple[str, ...], scores: Mapping[str, str]) -> Study:
    """Half of the multiply-adds, against the whole network as it was, and with the same extra epochs.

    Args:
        trained: What begins.
        fine_tuning: Overrides of what follows.
        scores: What a further network is called, to the score its channels were chosen by, if it is not batch_norm.
    """
    common = ("finetune=none", "schedule=cosine", "schedule.warmup_epochs=0", "export=none", *fine_tuning)
    changed = {override.partition("=")[0] for override in common}
    kept = [o for o in trained.overrides if o.partition("=")[0] not in changed and not o.startswith("export.")]

    def step(*how: str) -> Step:
        return Step((*kept, *common, "pruning=channels", f"pruning.run={RUN}", *how), "trained")

    steps = {
        "trained": trained,
        "trained on": step("pruning.ratio=0"),
        "half, by batch norm": step("pruning.ratio=0.5"),
    }
    for title, score in scores.items():
        steps[title] = step("pruning.ratio=0.5", f"pruning.score={score}")
    return Study(steps, ("trained", "trained on"))


def _taught(pruning: Study, choices: Mapping[str, tuple[str, ...]]) -> Study:
    """The pruned network, fine-tuned otherwise and with the whole one as its teacher.

    Args:
        pruning: Of `_pruning`.
        choices: What a network is called, to the overrides that come behind those of the pruned network.
    """
    half = pruning.steps["half, by batch norm"]
    teacher = ("distillation=teacher", f"distillation.run={RUN}")
    steps = {title: Step((*half.overrides, *how, *teacher), half.needs) for title, how in choices.items()}
    return Study({"trained": pruning.steps["trained"], **steps}, ("trained",))


_LAST = ("early_stopping=null", "checkpoint.keep=last")
_CNN = Step(
    (
        *("model=cnn", "model.widths=[16,32,64,64]", "model.head_units=256", "batch_size=128"),
        *("augmentation=light", "epochs=12", *_LAST, "export=none"),
    )
)
_RESNET = Step((*QUICK_WITH_ADAMW, "test_time_augmentation=none", "export=none"))
_MOBILENET = Step(
    (
        *("model=mobilenet_v2", "model.alpha=0.35", f"model.weights={WEIGHTS}", "batch_size=128", "epochs=6", *_LAST),
        *("export=tflite", "export.kinds=[float32,int8,int8_qat]"),
    )
)
# From first weights, since none from ImageNet are at hand, and at the size of the images, so that it takes minutes; a
# chain of 27 layers without residuals begins to learn late.
_MOBILENET_V1 = Step(
    (
        *("model=mobilenet_v1", "model.weights=null", "model.input_size=48", "model.alpha=0.25", "model.dropout=0.1"),
        *("batch_size=128", "lr=5e-3", "epochs=24", *_LAST, "export=none"),
    )
)
# Half the widths of fer_resnet, and less in its last stage: at most 0.3 M parameters.
_STUDENT = (*_RESNET.overrides, "model.stem_width=16", "model.widths=[16,32,64,80]")
_BY_THE_LOSS = {"half, by the loss": "taylor"}
_SLIM_MOBILENET = _pruning(_MOBILENET, ("lr=5e-4", "epochs=4"), _BY_THE_LOSS)
STUDIES = {
    "pruning_cnn": _pruning(_CNN, ("lr=5e-4", "epochs=6"), {"half, by kernels": "l1", **_BY_THE_LOSS}),
    "pruning_fer_resnet": _pruning(_RESNET, ("lr=1e-3", "epochs=8"), {}),
    "pruning_mobilenet_v2": _SLIM_MOBILENET,
    "taught_mobilenet_v2": _taught(
        _SLIM_MOBILENET,
        {
            "half, taught": ("lr=1e-3", "epochs=12"),
            "half by the loss, taught longer": ("lr=1e-3", "epochs=20", "pruning.score=taylor"),
        },
    ),
    "pruning_mobilenet_v1": _pruning(_MOBILENET_V1, ("lr=2e-3", "epochs=8"), _BY_THE_LOSS),
    "distillation": Study(
        {
            "trained": _RESNET,
            "student alone": Step(_STUDENT),
            "student taught": Step((*_STUDENT, "distillation=teacher", f"distillation.run={RUN}"), "trained"),
        },
        ("student alone",),
    ),
    "quantization": Study({"trained": _MOBILENET}, ("trained",), ("float32", "int8", "int8_qat")),
}
