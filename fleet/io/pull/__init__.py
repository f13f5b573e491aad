"""A file that a host fetches by itself, from where anybody can."""
