"""Consent: what a follower said, the proof of it, and the verdict that follows."""
