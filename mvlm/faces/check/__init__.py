"""A first look at a folder of licensed corpora: `python -m mvlm.faces.check FOLDER`."""
