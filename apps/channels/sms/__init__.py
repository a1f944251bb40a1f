"""Text messages and calls by phone providers."""
