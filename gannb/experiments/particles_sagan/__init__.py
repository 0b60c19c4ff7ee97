"""A SAGAN on few particle images."""
