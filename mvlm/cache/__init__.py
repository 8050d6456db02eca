"""What is kept, and by which address: values live as long as what made them does the same."""
