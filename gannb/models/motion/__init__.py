"""Speech to gesture: audio encoder, generator, discriminator, and the graph layers they share."""
