"""What a run is and what came out, as the description that MLflow shows of it, in markdown.

Called by `conclusion`. What comes from outside, such as names of runs and folders, is escaped; it computes nothing.
"""

import re
from collections.abc import Mapping, Sequence

from fer_exp.assessment.metrics import Interval
from fer_exp.reporting.run_page.contents import About, duration

_MEANS = re.compile(r"([\\`*_{}\[\]<>()#|~!])")  # something in markdown


def text(about: About, warnings: Sequence[str], numbers: Mapping[str, float]) -> str:
    """Returns the description.

    Args:
        about: The run.
        warnings: What a reader must not miss, a sentence each.
        numbers: Metrics of the run as a whole, those of its files among them.
    """
    found, data = about.evaluation, about.splits
    epoch, epochs = about.kept
    images = " / ".join(f"{len(split):,}" for split in (data.train, data.val, data.test))
    facts = [
        f"**test accuracy {_percent(found.accuracy, found.accuracy_interval)}**, "
        f"macro-F1 {_percent(found.macro_f1, found.macro_f1_interval)} on {len(found):,} images (95 % intervals)",
        f"model {about.options['model']}, {int(about.tags['parameters']):,} parameters, "
        f"{int(about.tags['multiply_adds']) / 1e6:.1f} M multiply-adds an image; epoch {epoch} of {epochs} kept; "
        f"{duration(about.seconds)}",
        f"{_plain(data.source)}: {images} images to train, validate and test",
    ]
    kinds = [key.split("/")[1] for key in numbers if re.fullmatch(r"tflite/\w+/size_mb", key)]
    facts += ["files: " + ", ".join(_file(kind, numbers) for kind in kinds)] if kinds else []
    return "\n\n".join(
        [
            *(f"**Warning.** {_plain(sentence)}" for sentence in warnings),
            "\n".join(f"- {fact}" for fact in facts),
            "All of it on one page: `report.html` of the artifacts.",
            *(f"{sentence}\n\n    {command}" for sentence, command in about.commands),
        ]
    )


def _file(kind: str, numbers: Mapping[str, float]) -> str:
    if not numbers.get(f"tflite/{kind}/published"):
        return f"{kind} withheld"
    return f"{kind} {numbers[f'tflite/{kind}/size_mb']:.2f} MB"


def _percent(value: float, interval: Interval) -> str:
    return f"{100 * value:.1f} % ({100 * interval.low:.1f}-{100 * interval.high:.1f})"


def _plain(words: str) -> str:
    """Returns words that markdown shows as they are."""
    return _MEANS.sub(r"\\\1", " ".join(words.split()))
