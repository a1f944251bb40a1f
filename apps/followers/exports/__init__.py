"""What is taken out: rows of one kind, in the background, to be fetched for a day.

1. A kind of rows is a `source`: its columns, and the rows after an id. Most are a `table`; each app
   has its own, and notifications_project/wiring.py lists them (EXPORTS).
2. `start` checks what is asked and announces the work.
3. `write` goes through the rows slice by slice; each slice is a chunk, encrypted in the database.
4. `files` reads the chunks as they are fetched, and `formats` writes them as CSV, XLSX
   (`spreadsheet`), JSON lines or `parquet`.
5. What is a day old is forgotten (`write.forget_old`).
6. `schedules` says what begins by itself, `due` begins it, and `store` puts its files into one of
   the `places`: a folder, or a store that speaks S3.
"""
