"""What the vendors' toolkits accept: versions, architectures and compilers as data, each with its source."""
