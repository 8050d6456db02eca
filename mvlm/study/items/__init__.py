"""What is published of the study: a file for each table or figure, or for a family of them."""
