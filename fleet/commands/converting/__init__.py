"""What `fleet models convert` is put together from."""
