"""Networks from speech to gesture: audio encoder, generator, discriminator, graph layers."""
