"""What is measured on embeddings and predictions: accuracy, its spread, where a model looks."""
