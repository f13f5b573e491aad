"""What llama.cpp computes with; one file each."""
