"""The verbs; one file each, found by name."""
