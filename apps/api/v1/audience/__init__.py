"""Endpoints for people: followers, addresses, devices, preferences, segments."""
