"""Comparing runs: `python -m fer_exp.compare`.

`runs` reads them, `grouping` finds replicates and names, `significance` tests, `comparison` puts that together;
`tables`, `frames`, `confusion_difference` and `page` are what is shown, and `comparing` shows, writes and logs it.
Nothing else imports from here.
"""
