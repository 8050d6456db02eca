"""Files of faces, a file a format."""
