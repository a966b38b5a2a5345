"""Registered models: which run becomes a version, and which version is the champion.

Called by `experiment` for a run, by `sweep` for its best child, both when all else of the run was delivered, by
`resume` where that is made up for, and by `trained` to look a model up. Done twice, it changes nothing: a run has one
version of a name, and what was decided about it is written on it.
"""

from fer_exp.assessment import metrics
from fer_exp.assessment.significance import ALPHA, mcnemar
from fer_exp.errors import ModelError
from fer_exp.process import temporary
from fer_exp.record import layout
from fer_exp.reporting import tables
from fer_exp.signature import model_name
from fer_exp.tracking import Registry, Tracker, Version

CHAMPION = "champion"  # alias
TAG = "registered_model"  # of a run that ended well, or of a sweep: the name to register under
_DECISION = "champion_decision"  # tag of a version
_FROM_RUN = {"data_sha256": "data_sha256", "test/accuracy": "accuracy", "test/macro_f1": "macro_f1"}


def is_name(word: str) -> bool:
    """Tells whether a word can be the name of a registered model."""
    try:
        return bool(model_name(word))
    except ValueError:
        return False


def find(tracker: Tracker, word: str) -> Version:
    """Returns a version.

    Args:
        tracker: Where it is registered.
        word: `models:/name@alias`, `models:/name/3`, or a name, whose champion it means.

    Raises:
        ModelError: If there is none.
        TrackingError: If the server does not answer.
    """
    name, _, alias = word.removeprefix("models:/").partition("@")
    name, slash, number = name.partition("/")
    alias = alias or CHAMPION
    found = tracker.registry.version(name, number) if slash else tracker.registry.aliased(name, alias)
    if found is None:
        wanted = f"version {number}" if slash else f"alias {alias}"
        raise ModelError(
            f"`model` must be a registered model in {tracker.uri}. Received: {word}, but there is no {name} with "
            f"{wanted}. A run registers its model with registered_model={name}."
        )
    return found


def complete(tracker: Tracker, run_id: str) -> str:
    """Registers the model of a run that asks for it.

    Args:
        tracker: Where the run is.
        run_id: Of a run whose files are all there.

    Returns:
        What became of it, for people; empty if the run does not ask.

    Raises:
        ModelError: If the run has no model.
        TrackingError: If the server does not answer.
    """
    attempt = tracker.attempt(run_id)
    name = attempt.tags.get(TAG) if attempt else None
    return register(tracker, name, run_id) if name else ""


def register(tracker: Tracker, name: str, run_id: str) -> str:
    """Registers the model of a run, and makes it the champion if it is better than that by more than chance.

    Args:
        tracker: Where the run is.
        name: Of the registered model.
        run_id: Of a run whose files are all there.

    Returns:
        What became of it, for people.

    Raises:
        ModelError: If the run has no model.
        TrackingError: If the server does not answer.
    """
    registry: Registry = tracker.registry
    version = registry.of_run(name, run_id) or registry.register(name, run_id, _tags(tracker, run_id))
    decision = version.tags.get(_DECISION)
    if decision is None:
        champion = registry.aliased(name, CHAMPION)
        becomes, decision = _decide(tracker, version, champion)
        if becomes:
            registry.give_alias(name, CHAMPION, version.number)
        registry.tag(name, version.number, {_DECISION: decision})
    return f"Registered as version {version.number} of {name}. {decision}"


def _tags(tracker: Tracker, run_id: str) -> dict[str, str]:
    record = tracker.record(run_id)
    known = {**record.tags, **record.metrics} if record else {}
    return {tag: str(known[key]) for key, tag in _FROM_RUN.items() if key in known}


def _decide(tracker: Tracker, version: Version, champion: Version | None) -> tuple[bool, str]:
    """Tells whether a version becomes the champion, and why."""
    if champion is None:
        return True, "It is the champion: there was none."
    if champion.number == version.number:  # given, but not noted
        return True, "It is the champion."
    stays = f"The champion stays version {champion.number}"
    data = [v.tags.get("data_sha256") for v in (version, champion)]
    if None in data or data[0] != data[1]:
        return False, f"{stays}: the two were not tested on the same data (data_sha256)."
    new, old = (_evaluation(tracker, v.run_id) for v in (version, champion))
    if new is None or old is None:
        lacking = version.number if new is None else champion.number
        return False, f"{stays}: version {lacking} has no {layout.PREDICTIONS} that can be read."
    if new.class_names != old.class_names or new.labels.tolist() != old.labels.tolist():
        return False, f"{stays}: the two were not tested on the same test split (classes or labels differ)."
    right, was_right = new.predictions == new.labels, old.predictions == old.labels
    gained, lost = int((right & ~was_right).sum()), int((was_right & ~right).sum())
    p_value = mcnemar(gained, lost)
    found = (
        f"of {len(new):,} test images {gained} are right with the new version alone, {lost} with version "
        f"{champion.number} alone (McNemar, p = {p_value:.2g})"
    )
    if gained > lost and p_value < ALPHA:
        return True, f"It is the champion: {found}."
    return False, f"{stays}: the new one is not significantly better; {found}."


def _evaluation(tracker: Tracker, run_id: str) -> metrics.Evaluation | None:
    """Reads the predictions of a run; None if there are none, or they are damaged."""
    with temporary.folder("registry") as folder:
        file = tracker.download(run_id, layout.PREDICTIONS, folder) if tracker.record(run_id) else None
        try:
            return None if file is None else tables.read_predictions(file)
        except ValueError:
            return None
