"""Contract of a pruner: `build(epochs: int, *, ...) -> optuna.pruners.BasePruner`.

Called by `trial` in the process of a trial and by `search`, through `config.build`; chosen with
`hydra/sweeper/pruner=<option>`, its options are `hydra.sweeper.pruner.*`. `epochs` are those of the longest trial. A
step of Optuna is an epoch, counted from 1 over all stages of a training.
"""
