"""Imports: a file of followers is read, planned, and written in slices."""
