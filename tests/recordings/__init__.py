"""Recorded answers of llama.cpp, and who in fleet reads each."""
