"""How good it is: scores that print with their protocol, and the feature spaces they are measured in."""
