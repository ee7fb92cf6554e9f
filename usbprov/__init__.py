"""usbprov: provision desk phones over USB."""

__version__ = "0.1.0"
