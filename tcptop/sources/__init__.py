"""Everything that is read from the operating system: netlink, /proc, /sys, and files."""
