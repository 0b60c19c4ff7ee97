"""A first look: a small GAN on points in the plane."""
