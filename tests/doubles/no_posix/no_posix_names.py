"""What is hidden; a file of its own, so that a test can read it without hiding it from itself."""

HIDDEN = ("fcntl", "grp", "pty", "pwd", "pyudev", "resource", "termios", "tty")
