"""A file to a host, or to many: chunks, streams, and hosts that give to each other."""
