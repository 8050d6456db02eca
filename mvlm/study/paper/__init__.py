"""What the paper states and claims, and where it is silent."""
