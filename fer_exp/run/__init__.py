"""One run, many runs, a run again, and a search: what happens in them, and in which order."""
