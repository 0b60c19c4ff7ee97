"""What a run learns from: a real loader and a self-made default for each kind of data."""
