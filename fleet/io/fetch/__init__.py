"""A file behind http to this machine: several connections, resumed where they stopped."""
