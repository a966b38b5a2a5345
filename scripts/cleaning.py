"""Measures what leaving out and relabelling by the doctor's files do to accuracy, and writes docs/fer2013_audit.md.

    python -m fer_exp.doctor data dataset=fer2013 dataset.path=<file> dataset.val=0.1 dataset.test=PublicTest
    python scripts/cleaning.py --data data/fer2013.csv.gz --found outputs/doctor-<time>
    python scripts/cleaning.py --found outputs/doctor-<time> --list       the commands, without running them

The small CNN of `scripts/claims.py` is trained on the data as they are, without what exclude.csv names, and relabelled
by relabel.csv besides, with several seeds. The test split is the same in all; its accuracy is told a second time apart
for the images that findings.csv says are in train or val too, and for the others. Finished runs (experiment `claims`)
are not repeated.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from claims import finished, interval, run_missing, section
from document import markdown, replace_section
from mlflow.entities import Run
from rich.console import Console
from studies import CNN, Study, fer2013, measuring, with_seeds

from fer_exp.dataset import Splits
from fer_exp.options import commandline, config
from fer_exp.tracking import tracking_uri

DOCUMENT = Path(__file__).parents[1] / "docs" / "fer2013_audit.md"
SECTION = "cleaning"
FILES = ("exclude.csv", "relabel.csv", "findings.csv")
LEAKS = ("leak_test", "near_leak_test")  # kinds of findings.csv


def study_of(found: Path) -> Study:
    """Returns the study for the files in a folder of the doctor."""
    exclude, relabel = (f"dataset.{name}={found / name}.csv" for name in ("exclude", "relabel"))
    variants = {"as it is": (), "excluded": (exclude,), "excluded and relabelled": (exclude, relabel)}
    return Study(CNN, variants, per_class=True)


def leaked(findings: Path, names: np.ndarray) -> np.ndarray:
    """Returns which test images are in train or val too, exactly or nearly.

    Args:
        findings: The doctor's findings.csv.
        names: str (n,), of the test images.

    Returns:
        bool (n,).
    """
    table = pd.read_csv(findings, dtype=str, keep_default_na=False)
    found = table[table["kind"].isin(LEAKS)]["name"]
    if strangers := sorted(set(found) - set(np.atleast_1d(names).tolist())):
        raise SystemExit(f"{findings} must be of the same data. Received: {strangers[0]}, which is no test image.")
    return np.isin(names, found)


def apart(correct: Mapping[str, Sequence[np.ndarray]], seen: np.ndarray) -> str:
    """Returns a table of the accuracy on leaked test images and on the others.

    Args:
        correct: Of each variant, for each seed, which test images it has right; the first variant is compared with.
        seen: Which test images are leaked.
    """
    first = next(iter(correct))
    rows: list[dict[str, str]] = [{"test accuracy": variant} for variant in correct]
    for part, images in {"leaked": seen, "others": ~seen}.items():
        accuracy = {name: 100 * np.array([one[images].mean() for one in of]) for name, of in correct.items()}
        for row, (variant, values) in zip(rows, accuracy.items(), strict=True):
            row[f"{part}: {images.sum():,} images"] = interval(values)
            difference = interval(values - accuracy[first], signed=True)
            row[f"{part}, minus {first}"] = "" if variant == first else difference
    return markdown(pd.DataFrame(rows))


def predictions(uri: str, run: Run) -> np.ndarray:
    """Returns which test images a run has right."""
    client = mlflow.MlflowClient(uri)
    return pd.read_csv(client.download_artifacts(run.info.run_id, "tables/predictions.csv"))["correct"].to_numpy(bool)


def main() -> None:
    """Runs what is missing and writes what there is."""
    parser = measuring(__doc__, "runs of each variant")
    parser.add_argument("--found", type=Path, required=True, metavar="FOLDER", help="of the doctor")
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    options = with_seeds(parser)
    absent = [name for name in FILES if not (options.found / name).is_file()]
    if absent:
        parser.error(f"--found must hold {', '.join(FILES)}. Received: {options.found} without {absent[0]}.")
    uri = tracking_uri(options.uri)
    data = fer2013(options.data)
    study = study_of(options.found)
    run_missing(study, data, options.seeds, uri, options.list, Console())
    if not options.list:
        command = f"python scripts/cleaning.py --found {options.found}"
        runs = finished(uri)
        splits: Splits = config.build(commandline.composed(data)["dataset"])
        correct = {
            variant: [predictions(uri, runs[" ".join(study.overrides(variant, data, s))]) for s in range(options.seeds)]
            for variant in study.variants
        }
        split_up = apart(correct, leaked(options.found / "findings.csv", np.asarray(splits.test.names)))
        text = section(study, runs, data, options.seeds, command)
        replace_section(options.document, SECTION, f"{text}\n\n{split_up}")


if __name__ == "__main__":
    main()
