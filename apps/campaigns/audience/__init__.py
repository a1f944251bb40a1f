"""Whom a campaign is for: segments, their language, and the followers that they name."""
