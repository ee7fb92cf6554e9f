"""Rosters out of files: CSV and XLSX, checked line by line before anything starts."""
