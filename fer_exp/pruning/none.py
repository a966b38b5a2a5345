"""No pruning: the training begins with the weights that the model says."""


def build() -> None:
    """Builds nothing."""
