"""Themes of our own: much contrast, and colours that differ for the colour-blind."""

from textual.theme import Theme

OWN = (
    Theme(
        name="fleet-contrast",
        primary="#ffffff",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#000000",
        warning="#ffff00",
        error="#ff5555",
        success="#55ff55",
        accent="#00ffff",
        dark=True,
    ),
    Theme(
        name="fleet-cb",
        primary="#56b4e9",
        foreground="#e0e0e0",
        background="#101418",
        surface="#101418",
        panel="#101418",
        warning="#e69f00",
        error="#d55e00",
        success="#56b4e9",
        accent="#56b4e9",
        dark=True,
    ),
)
