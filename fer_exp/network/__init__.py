"""Layers, weights and costs of networks."""
