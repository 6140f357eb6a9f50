"""Tests against a real llama-server, on models small enough to be made on the spot."""
