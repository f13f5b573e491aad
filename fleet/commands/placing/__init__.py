"""What `fleet place` asks of each host and says of all."""
