"""fleet: llama.cpp servers on any mix of SSH hosts, operated from one terminal."""

__version__ = "0.1.0"
