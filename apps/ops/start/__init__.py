"""What web and worker look at when they start: `faults` says what is wrong with the site."""
