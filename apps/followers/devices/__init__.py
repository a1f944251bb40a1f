"""Phones, browsers and webhooks that register themselves, and what becomes of dead ones."""
