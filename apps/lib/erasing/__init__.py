"""What it takes to forget somebody: `person` says who is meant by a text, and takes them out."""
