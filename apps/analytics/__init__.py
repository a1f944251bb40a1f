"""Numbers about sending. `reports` counts them for the first page of the dashboard."""
