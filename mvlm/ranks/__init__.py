"""Several processes for one training: who they are, how they start and end, what passes between them."""
