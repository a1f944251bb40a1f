"""What is sent again and again: its clock, and each occurrence."""
