"""Long-lived processes: their parents, their ticking, their garbage collector."""
