"""Shelf: who keeps a server alive."""
