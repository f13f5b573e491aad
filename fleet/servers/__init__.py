"""llama-server: its arguments, releases, health and what it says."""
