"""Many trials of one notebook: a plan, trials identified by a hash, a cluster that runs them, a status table."""
