"""Many trials of one notebook: a plan, trials known by a hash, a cluster that runs them, a board that shows them."""
