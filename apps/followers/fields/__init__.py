"""Custom fields: what a key of the followers' metadata means, and which values fit.

1. Staff define a field (`define`): key, kind, labels, and the values of a list.
2. Whatever writes a follower's metadata asks `fitting` first: a value of a defined key is brought
   into the form of its kind, or refused with a sentence. Other keys hold what they like, unless the
   site says otherwise (CUSTOM_FIELDS_ONLY).
3. What a search looks at gets an index on PostgreSQL (`index`), made beside the work of others.

The values themselves stay in `Follower.metadata`. All modules are doors.
"""
