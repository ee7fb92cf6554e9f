"""The `lpe` family: Lync Phone Edition phones, recognised and never written to (README.md)."""
