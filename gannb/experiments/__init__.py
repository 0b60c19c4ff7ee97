"""One folder per experiment: parameters, losses, claims, and what is its own."""
