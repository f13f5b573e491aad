"""Real SSH hosts on one Linux machine, made of namespaces: `python -m tests.rig --help`."""
