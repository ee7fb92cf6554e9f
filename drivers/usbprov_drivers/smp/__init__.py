"""The `smp` family: phones that speak SMP (MCUmgr) with the usbprov command group."""
