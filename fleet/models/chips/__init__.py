"""What GPUs and processors are made of: memory bus, cores, clock. Tables, each with its source."""
