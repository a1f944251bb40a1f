"""The same newsletter sent as people write it: one django-q2 task for each recipient,
or django-post_office.

A Django project of its own, which knows nothing of the product.
"""
