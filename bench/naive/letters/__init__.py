"""Readers, and a letter to each."""
