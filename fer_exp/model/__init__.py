"""Contract of a model: `build(input_shape, num_classes, *, ...) -> keras.Model`, uncompiled.

Called by `training` through `config.build`, inside the scope of the strategy. The model takes float32 images (batch,
height, width, channels) in [0, 255], does its own scaling, resizing and channel adaptation, and returns float32 logits
(batch, num_classes): the `.tflite` then needs no code around it. A model with a backbone calls that layer `backbone`;
one that loads weights says which in the attribute `weights_origin`. A model must not know data, loss or tracking.
"""
