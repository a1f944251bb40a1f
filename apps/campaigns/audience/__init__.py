"""Whom a campaign is for: audiences, segments and the language of their rules.

1. `language` reads the rules of a segment and refuses what can't be asked.
2. `sql` makes a condition on followers of them, out of what `questions` asks of each field;
   `metadata_words` asks PostgreSQL's index of metadata, `behaviour` what people did with messages.
   `words` says them.
3. `segments` stores rules under a name, once `field_rules` has looked at what they ask about custom
   fields.
4. `audience` reads tags, segments and names into one value that finds, counts and freezes people.
5. `how_many` counts within a second, exactly or about; `matches` shows it beside the rules.
6. `explain` says why somebody matches.

All of them are doors.
"""
