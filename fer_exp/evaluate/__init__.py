"""`python -m fer_exp.evaluate`: what a trained model is worth on any data set.

`measure` lets it answer, `assessment` looks closer, `evaluating` shows, writes and logs.
"""
