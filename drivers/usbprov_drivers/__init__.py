"""The phone families that usbprov ships: one folder each, found through entry points."""
