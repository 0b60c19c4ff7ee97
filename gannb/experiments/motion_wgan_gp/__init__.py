"""Speech-driven gesture as WGAN-GP, with a laboratory of its rules."""
