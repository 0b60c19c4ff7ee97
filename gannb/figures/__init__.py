"""What a person looks at: curves, grids of images, tables, in one plotly template."""
