"""The embedded model and what it was pretrained on."""
