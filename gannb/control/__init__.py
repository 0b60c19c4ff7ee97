"""Numbers that change during training, and what changes them."""
