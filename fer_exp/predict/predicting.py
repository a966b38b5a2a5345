"""What the command line of `predict` asks for, from files and folders to a table, CSV, JSON and pictures.

Called by that command line. Everything that can be refused is refused before the first picture is decoded.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from fer_exp import process
from fer_exp.data.inputs import sentence
from fer_exp.errors import ConfigError
from fer_exp.record import store
from fer_exp.reporting import console
from fer_exp.reporting.terminal import printable
from fer_exp.run import trained

if TYPE_CHECKING:
    from fer_exp.predict import sources, work

_MOST_NAMES = 5  # of pictures without a face, on the terminal


def run(options: argparse.Namespace, screen: Console) -> int:
    """Predicts, shows and writes what the command line asks for.

    Args:
        options: As parsed.
        screen: Where the table goes; what could not be read goes to the standard error.

    Returns:
        Number of inputs that could not be read.

    Raises:
        UserError: If nothing can be predicted; nothing is written then.
    """
    inputs = [word for word in options.inputs if "=" not in word or Path(word).exists()]
    overrides = [word for word in options.inputs if word not in inputs]
    _check(options, inputs)
    from fer_exp.predict import annotated, outputs, sources, work  # OpenCV takes a moment, and a mistake should not

    found, notes = sources.find(inputs)
    _check_kept(options, found)
    if options.annotated:
        annotated.check(options.annotated, found)
    threads = min(8, process.cores())
    with ExitStack() as stack:
        with console.waiting(screen, "loading the model"):
            model = stack.enter_context(trained.opened(options.model, options.file or trained.AUTO, overrides))
        work.only_picture(model)
        _say(screen, f"{model.name}: {len(model.class_names)} classes, takes {_taken(model)}")
        if model.record is not None and "data_drawn" in model.record.tags:
            _say(screen, "note: this model has seen drawn faces only: what it says of photographs means little")
        with _bar(screen, "predicting") as progress:
            outcome = work.run(found, model, options.faces, options.every, threads, work.Progress(*progress))
    if outcome.seen:
        screen.print(outputs.table(outcome, model.class_names, options.top))
    _summary(screen, outcome, notes)
    if options.annotated:
        annotated.check_targets(options.annotated, outcome)
    if options.csv:
        store.write(options.csv, outputs.as_csv(outcome, model.class_names))
    if options.json:
        about = {"model": model.name, "faces": options.faces}
        store.write(options.json, outputs.as_json(outcome, model.class_names, options.top, **about))
    if options.annotated:
        with _bar(screen, "drawing") as (_, done):
            count = annotated.write(options.annotated, outcome, model.class_names, done)
        _say(screen, f"{count} annotated files in {options.annotated}")
    for failure in outcome.failures:
        print(f"error: {printable(failure.name)}: {printable(failure.reason)}", file=sys.stderr)
    return len(outcome.failures)


def _taken(model: trained.Classifier) -> str:
    return sentence(model.inputs).removeprefix("image ")


def _check(options: argparse.Namespace, inputs: Sequence[str]) -> None:
    problems = []
    if not inputs:
        problems.append("`inputs` must name images, folders, CSV files or videos. Received: none.")
    for name in ("every", "top"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            problems.append(f"`--{name}` must be at least 1. Received: {getattr(options, name)}.")
    for name in ("csv", "json"):
        path = getattr(options, name)
        if path is not None and (problem := store.output_problem(f"--{name}", path)):
            problems.append(problem)
        if path is not None and path.resolve() in {Path(word).resolve() for word in (options.model, *inputs)}:
            problems.append(f"`--{name}` must not be the model or an input. Received: {path}.")
    if options.csv and options.json and options.csv.resolve() == options.json.resolve():
        problems.append(f"`--csv` and `--json` must be two files. Received: {options.csv} for both.")
    if problems:
        raise ConfigError(problems)


def _check_kept(options: argparse.Namespace, found: "Sequence[sources.Source]") -> None:
    """Refuses outputs in the place of what lies in a folder of inputs."""
    files = {source.path.resolve() for source in found}
    outputs = {name: getattr(options, name) for name in ("csv", "json")}
    if problems := [
        f"`--{name}` must not be an input. Received: {path}." for name, path in outputs.items()
        if path is not None and path.resolve() in files
    ]:  # fmt: skip
        raise ConfigError(problems)


@contextmanager
def _bar(screen: Console, what: str) -> Iterator[tuple]:
    """Shows a bar, if there is a terminal to draw it on; yields who is told of more to do, and of what is done."""
    columns = (TextColumn(what, markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task, total = progress.add_task(what, total=None), 0

        def more(count: int) -> None:
            nonlocal total
            total += count
            progress.update(task, total=total)

        yield more, lambda: progress.advance(task)


def _summary(screen: Console, outcome: "work.Outcome", notes: Sequence[str]) -> None:
    count, faces = len(outcome.seen), sum(len(seen.boxes) for seen in outcome.seen)
    rate = count / outcome.seconds if outcome.seconds else 0.0
    found = f"{count:,} image{'s' * (count != 1)}, {faces:,} face{'s' * (faces != 1)}"
    _say(screen, f"{found}, {outcome.seconds:.1f} s, {rate:,.0f} images/s")
    for note in notes:
        _say(screen, f"note: {note}")
    if outcome.crops:
        crops = "1 image is" if outcome.crops == 1 else f"{outcome.crops:,} images are"
        taken = "was taken for a face" if outcome.crops == 1 else "were taken for faces"
        _say(screen, f"note: {crops} no larger than what the model takes, and {taken}")
    without = [seen.name for seen in outcome.seen if not seen.boxes]
    if without:
        named = ", ".join(without[:_MOST_NAMES]) + (" ..." if len(without) > _MOST_NAMES else "")
        _say(screen, f"note: no face found in {len(without):,}: {named}. Are they faces already? Then: --faces none")


def _say(screen: Console, text: str) -> None:
    screen.print(Text(printable(text)), soft_wrap=True)
