"""llama.cpp for a host: the recipe, its fingerprint, the plan."""
