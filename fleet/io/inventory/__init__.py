"""inventory.toml and whom it names, read and edited without losing a comment."""
