"""What `fleet models suggest` is put together from."""
