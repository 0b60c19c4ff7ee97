"""The numbers that move while a network learns, and what moves them."""
