"""Where files may lie: folders, small disks, and servers of each kind of store."""
