"""The claims that `scripts/claims.py` measures: a base, and variants that differ from it in one thing.

Paired by seed: all variants of a seed see the same first weights, the same data order and the same split.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

WEIGHTS = "WEIGHTS"  # stands for the file of ImageNet weights


def fer2013(path: str) -> list[str]:
    """Returns the overrides of the data that everything is measured on: a copy of FER2013 without `PrivateTest`."""
    return ["dataset=fer2013", f"dataset.path={path}", "dataset.val=0.1", "dataset.test=PublicTest"]


def measuring(description: str | None, repeated: str) -> argparse.ArgumentParser:
    """Returns the command line that the measurements with several seeds share.

    Args:
        description: Of the script.
        repeated: What there is one of for each seed.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data/fer2013.csv.gz", help="csv of FER2013, with PublicTest rows")
    parser.add_argument("--seeds", type=int, default=3, help=f"{repeated}, >= 2")
    parser.add_argument("--uri", help="MLflow tracking URI; ./mlflow.db unless given")
    parser.add_argument("--list", action="store_true", help="print the commands of missing runs and stop")
    return parser


def with_seeds(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parses the command line; ends the program if it leaves too few seeds for an interval."""
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error(f"--seeds must be at least 2, or there is no interval. Received: {options.seeds}.")
    return options


@dataclass(frozen=True)
class Study:
    """One claim.

    Attributes:
        base: Overrides that all variants share.
        variants: Overrides of each variant; the first one is what the others are compared with.
        per_class: Report the recall of every class.
        class_tables: Report recall and F1 of every class in tables of their own, with intervals.
        document: In which page of docs/ the tables stand.
        data: Overrides of the data, if they are not those that everything else is measured on.
    """

    base: tuple[str, ...]
    variants: Mapping[str, tuple[str, ...]]
    per_class: bool = False
    class_tables: bool = False
    document: str = "claims.md"
    data: tuple[str, ...] = ()

    def with_weights(self, path: str) -> "Study":
        """Returns the study with the file of ImageNet weights filled in."""
        return replace(self, base=tuple(override.replace(WEIGHTS, path) for override in self.base))

    def overrides(self, variant: str, data: Sequence[str], seed: int) -> list[str]:
        """Returns the command line of one run."""
        own = ("export=none", "tracking.experiment=claims", f"seed={seed}")
        return [*(self.data or data), *self.base, *self.variants[variant], *own]


# What the base does not name is as in conf/config.yaml: Adam, cosine, light augmentation, cross-entropy, batch norm.
# The first variant of every study is the base itself, so that one run serves them all. The CNN has half its width, so
# that two cores train all variants with three seeds in an hour.
_SHORT = ("batch_size=128", "early_stopping=null", "checkpoint.keep=last")
CNN = ("model=cnn", "model.widths=[16,32,64,64]", "model.head_units=256", "epochs=6", *_SHORT)
MOBILENET = ("model=mobilenet_v2", "model.alpha=0.35", f"model.weights={WEIGHTS}", "epochs=4", *_SHORT)
QUICK = ("experiment=fer2013_quick", "epochs=2")
_ADAMW = ("optimizer=adamw", "~optimizer.adam_lr_ratio", "optimizer.weight_decay=0.05", "lr=4.0e-3")
_HARDER = ("augmentation.occlusion_probability=0.25", "augmentation.zoom=0.2", "model.dropout=0.3")
QUICK_WITH_ADAMW = ("experiment=fer2013_quick", *_ADAMW, *_HARDER, "schedule.warmup_epochs=2")  # as it once was
# Single frames of these clips, and all of them without their order, do not tell what comes from what goes.
_CLIPS = ("dataset=synthetic", "dataset.kind=clip", "dataset.motion=half", "dataset.frames=5", "dataset.image_size=32")
_CLIP_SIZES = ("dataset.train_size=2600", "dataset.val_size=520", "dataset.test_size=1040", "dataset.difficulty=0.0")
CLIP = ("model.frame.widths=[16,32,64,64]", "augmentation=none", "epochs=6")
STUDIES = {
    "schedule": Study(
        CNN,
        {
            "cosine": (),
            "constant": ("schedule=constant",),
            "step": ("schedule=step",),
            "plateau": ("schedule=plateau", "schedule.patience=1"),
        },
    ),
    "augmentation": Study(CNN, {"light": (), "none": ("augmentation=none",), "strong": ("augmentation=strong",)}),
    "label_smoothing": Study(CNN, {"without": (), "0.1": ("loss.label_smoothing=0.1",)}),
    "class_weights": Study(CNN, {"without": (), "auto": ("loss.class_weights=auto",)}, per_class=True),
    "imbalance": Study(
        CNN,
        {
            "plain": (),
            "class weights": ("loss.class_weights=auto",),
            "effective number": ("loss.class_weights=effective_number",),
            "focal": ("loss=focal",),
            "square root": ("sampling=square_root",),
            "balanced": ("sampling=balanced",),
            "logit adjusted": ("loss=logit_adjusted",),
        },
        class_tables=True,
        document="imbalance.md",
    ),
    "batch_norm": Study(CNN, {"with": (), "without": ("model.batch_norm=false",)}),
    "quick": Study(QUICK, {"as it is": (), "AdamW": _ADAMW, "more augmentation and dropout": _HARDER}),
    "clips": Study(
        CLIP,
        {
            "in order": ("model=clip",),
            "mean of features": ("model=clip", "model.over_time=mean"),
            "mean of answers": ("model=frame_average",),
        },
        data=(*_CLIPS, *_CLIP_SIZES),
    ),
    "input_size": Study(MOBILENET, {"96 pixels": (), "48 pixels": ("model.input_size=48",)}),
}
