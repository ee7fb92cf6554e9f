"""Lets ``python -m usbprov`` do what ``usbprov`` does."""

from usbprov.cli.main import main

if __name__ == "__main__":
    main()
