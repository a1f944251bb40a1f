"""Followers, for programs."""
