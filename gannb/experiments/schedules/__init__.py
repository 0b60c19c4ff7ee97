"""Learned against annealed schedules."""
