"""Tables and figures that say where every number comes from."""
