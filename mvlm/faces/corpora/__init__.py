"""The licensed corpora as folders, each in its native layout."""
