"""`python -m fer_exp.evaluate`: what a trained model is worth on any data set.

`measure` lets it answer, `assessment` looks closer, the command line shows, writes and logs.
"""
