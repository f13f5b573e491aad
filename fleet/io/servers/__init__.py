"""Servers and hosts asked how they do, and waited for."""
