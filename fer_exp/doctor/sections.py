"""The parts of an examination that can be chosen, each with what it says while it works.

Read by the command line, so it imports nothing.
"""

SECTIONS = {
    "counts": "counting classes",
    "pixels": "looking for blank images",
    "duplicates": "comparing every image with every other",
    "votes": "reading votes",
    "labels": "predicting every image from the others",
}
