"""The dashboard's files: a page of plain ES modules, served as they are by `api/dashboard.py`."""
