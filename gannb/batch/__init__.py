"""Batch runs: notebooks by papermill, sweeps, reports."""
