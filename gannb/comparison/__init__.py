"""Variants compared over seeds: trials, intervals, and the catalogue of runs."""
