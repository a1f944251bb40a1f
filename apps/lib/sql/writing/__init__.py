"""Write rows without the ORM's objects and parameters: one that every call writes (`kept_insert`),
or thousands at once (`many_rows`).
"""
