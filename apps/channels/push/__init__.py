"""Push messages to phones and browsers."""
