"""Evaluates a trained model on any data set: a run, a registered model, or a `.tflite` file.

    python -m fer_exp.evaluate <run>                                          on the data the run itself was tested on
    python -m fer_exp.evaluate models:/fer@champion dataset=fer2013 dataset.path=fer2013.csv
    python -m fer_exp.evaluate int8.tflite dataset=image_folder dataset.path=faces --split val
    python -m fer_exp.evaluate <run> dataset=image_folder dataset.path=faces --common --file int8
    python -m fer_exp.evaluate <run> --robustness evaluation.temperature_scaling=true evaluation.grad_cam=16

Classes are matched by name. What is measured is shown, written to outputs/evaluate-<time>/, and logged: as a child of
the run, or as a run of its own for a file. `key=value` are overrides as of `python -m fer_exp`.
"""

import argparse

from fer_exp.reporting import command, terminal


@command.framed
def main() -> None:
    """Runs the command line; exits with 0, or 2 or 4 for a user's error."""
    options = command.parsed(_parser())
    more = ["evaluation.robustness=all"] if options.robustness else []
    from fer_exp.evaluate import evaluating

    evaluating.run(
        options.model, [*options.overrides, *more], options.split, options.file, options.common, terminal.opened(140)
    )


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("fer_exp.evaluate", __doc__)
    add = parser.add_argument
    add("model", help="a run's id, models:/name@alias, models:/name/3, a registered name, or a .tflite file")
    add("overrides", nargs="*", metavar="key=value", help="dataset=..., tracking.uri=...")
    add("--split", choices=("test", "val", "train"), default="test", help="which images (default test)")
    add("--file", metavar="NAME", help="which file of a run: keras (default), float32, int8 ...")
    add("--robustness", action="store_true", help="accuracy under corruptions: short for evaluation.robustness=all")
    add("--common", action="store_true", help="leave out classes that model and data do not share")
    return parser


if __name__ == "__main__":
    main()
