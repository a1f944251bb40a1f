"""Opens and clicks: stored as they come in, counted for reading."""
