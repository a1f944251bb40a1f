"""A delivery as the message its channel hands over."""
