"""Model hubs and registries: what they hold, asked with bounds."""
