"""What became of what was sent, in numbers that open their names.

1. `funnel`: from planned to clicked, from the tallies: of one send, or of all of a type or period.
2. `counts`: how one send parts by domain, language, channel and time, counted from its rows.
3. `breakdowns`: keeps these counts where they take long, and says when they were true.
4. `typical`: the medians of one's own last ten campaigns.

Each number says by which `Narrowing` (apps/notifications/reports/became.py) its names are found.
Doors: `funnel`, `breakdowns`, `typical`.
"""
