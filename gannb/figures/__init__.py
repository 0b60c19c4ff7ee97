"""Figures: curves, grids of images, tables, in one plotly template."""
