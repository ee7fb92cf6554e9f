"""Labels for phones that are done: name, extension, MAC as a bar code and as a QR code."""
