"""Operating systems; one file each."""
