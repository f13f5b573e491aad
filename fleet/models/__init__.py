"""Weights: what a GGUF header says, what fits, the plan that brings them."""
