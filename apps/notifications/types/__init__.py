"""Message types: what they ask of their data, and how staff change them."""
