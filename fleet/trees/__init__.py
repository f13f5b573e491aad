"""Where llama.cpp's source comes from; one file each."""
