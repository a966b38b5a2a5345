"""Measures what leaving out and relabelling by the doctor's files do to accuracy, and writes docs/fer2013_audit.md.

    python -m fer_exp.doctor data dataset=fer2013 dataset.path=<file> dataset.val=0.1 dataset.test=PublicTest
    python scripts/cleaning.py --data data/fer2013.csv.gz --found outputs/doctor-<time>
    python scripts/cleaning.py --found outputs/doctor-<time> --list       the commands, without running them

The small CNN of `scripts/claims.py` is trained on the data as they are, without what exclude.csv names, and relabelled
by relabel.csv besides, with several seeds. The test split is the same in all. Finished runs (experiment `claims`) are
not repeated.
"""

import argparse
from pathlib import Path

from claims import finished, run_missing, section
from document import replace_section
from rich.console import Console
from studies import CNN, Study

from fer_exp.tracking import tracking_uri

DOCUMENT = Path(__file__).parents[1] / "docs" / "fer2013_audit.md"
SECTION = "cleaning"


def study_of(found: Path) -> Study:
    """Returns the study for the files in a folder of the doctor."""
    exclude, relabel = (f"dataset.{name}={found / name}.csv" for name in ("exclude", "relabel"))
    variants = {"as it is": (), "excluded": (exclude,), "excluded and relabelled": (exclude, relabel)}
    return Study(CNN, variants, per_class=True)


def main() -> None:
    """Runs what is missing and writes what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data/fer2013.csv.gz", help="csv of FER2013, with PublicTest rows")
    parser.add_argument("--found", type=Path, required=True, metavar="FOLDER", help="with exclude.csv and relabel.csv")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each variant, >= 2")
    parser.add_argument("--uri", help="MLflow tracking URI; ./mlflow.db unless given")
    parser.add_argument("--list", action="store_true", help="print the commands of missing runs and stop")
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error(f"--seeds must be at least 2, or there is no interval. Received: {options.seeds}.")
    absent = [name for name in ("exclude.csv", "relabel.csv") if not (options.found / name).is_file()]
    if absent:
        parser.error(f"--found must hold exclude.csv and relabel.csv. Received: {options.found} without {absent[0]}.")
    uri = tracking_uri(options.uri)
    data = ["dataset=fer2013", f"dataset.path={options.data}", "dataset.val=0.1", "dataset.test=PublicTest"]
    study = study_of(options.found)
    run_missing(study, data, options.seeds, uri, options.list, Console())
    if not options.list:
        command = f"python scripts/cleaning.py --found {options.found}"
        text = section(study, finished(uri), data, options.seeds, command)
        replace_section(options.document, SECTION, text)


if __name__ == "__main__":
    main()
