"""One stage in which everything learns."""

from fer_exp.finetune import Stage


def build() -> tuple[Stage, ...]:
    """Builds the plan with a single stage at the top-level `lr`."""
    return (Stage(name="all", unfreeze=1.0, lr_scale=1.0, epoch_share=1.0),)
