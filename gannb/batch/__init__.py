"""Many runs, and one run in a process of its own: papermill, report, references."""
