"""Contract of an optimizer: `build(learning_rate, *, ...) -> keras.optimizers.Optimizer`.

Called by `training` through `config.build`, once for each fine-tuning stage. `learning_rate` is a float or a
`LearningRateSchedule`, both from the schedule group; an optimizer must not know where it came from.
"""
