"""Endpoints for what is said: templates, message types, caps."""
