"""Contract of pruning: `build(*, ...) -> Pruning | None`; None begins with the weights that the model says.

Called by `assembly` through `config.build`. An option names the run whose weights are taken over and chooses the
channels that stay; it must not know how runs are kept, how a network is built without some channels, nor the data.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from fer_exp.network.slim.channel_groups import Channels
    from fer_exp.options.config import Experiment


@dataclass(frozen=True)
class Chosen:
    """What stays of a model.

    Attributes:
        kept: For each group of channels the positions of those that stay, ascending.
        table: One row for each group: its layers, widths before and after, scores.
    """

    kept: "Sequence[np.ndarray]"
    table: "pd.DataFrame"


LossChanges = Callable[[], "Sequence[np.ndarray | None]"]
"""For each group of channels what the loss on training images would change without each of them; seconds of work."""


@dataclass(frozen=True)
class Pruning:
    """Whose weights a training begins with, and without which channels.

    Attributes:
        run: Id of a finished run.
        choose: Chooses from the channels of that run's model, and may ask for their effect on the loss; None keeps all.
    """

    run: str
    choose: "Callable[[Channels, LossChanges], Chosen] | None"


def problems(experiment: "Experiment") -> Iterator[str]:
    """Yields what is wrong with the pruning as a whole; its options are known to be valid one by one."""
    given = experiment.pruning
    amounts = [f"pruning.{key}={given[key]}" for key in ("ratio", "threshold") if given.get(key) is not None]
    if "ratio" in given and len(amounts) != 1:
        yield (
            "`pruning.ratio` (share of the multiply-adds to remove) or `pruning.threshold` (least score that stays) "
            f"must be given, and not both. Received: {' '.join(amounts) or 'neither'}."
        )
