"""What became of a notification and its messages, for people who look."""
