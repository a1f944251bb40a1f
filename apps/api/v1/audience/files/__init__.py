"""People as files: taken in and taken out."""
