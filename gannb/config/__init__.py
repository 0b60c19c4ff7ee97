"""Configuration: one declaration per parameter, and presets."""
