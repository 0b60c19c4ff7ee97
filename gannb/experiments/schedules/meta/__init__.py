"""Learned schedules: a controller, what it observes, and how its weights are updated while the GAN trains."""
