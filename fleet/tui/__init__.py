"""The dashboard: draws State, makes requests, decides nothing.

`fleet.tui.launch` is the door. Nothing here may import textual before it has set
the environment that textual reads when it is imported.
"""
