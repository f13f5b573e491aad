"""Where models come from; one file each."""
