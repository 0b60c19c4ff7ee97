"""Speech-driven gesture with strict balance between discriminator and generator."""
