"""Hosts that give a model to each other: who may, who has it, and the program that gives and takes."""
