"""What the networks are asked: pure functions of tensors."""
