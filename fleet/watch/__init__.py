"""Samples in time: rates, alerts, and what doctor makes of them."""
