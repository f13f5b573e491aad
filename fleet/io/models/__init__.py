"""Models on this machine: found, fetched, verified, pinned, remembered."""
