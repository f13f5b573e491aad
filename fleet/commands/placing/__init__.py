"""What `fleet place` knows of each host, and says of all."""
