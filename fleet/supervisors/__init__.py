"""Shelf: who keeps a server alive."""

HELPERS = ("instances",)  # modules here that are not kinds
