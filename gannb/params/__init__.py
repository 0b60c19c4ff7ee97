"""What a run may be told: one declaration a notebook, with default, bounds, meaning, group, and whether it may move."""
