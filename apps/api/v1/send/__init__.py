"""Endpoints for what is sent: notifications, campaigns, events, what recurs."""
