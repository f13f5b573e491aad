"""What builds are made of, on this machine: sources, tools, finished binaries."""
