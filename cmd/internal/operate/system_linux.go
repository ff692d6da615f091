package operate

import (
	"slices"

	"golang.org/x/sys/unix"
)

// synchronized asks the kernel whether somebody disciplines its clock (adjtimex(2)).
func synchronized() (known, yes bool) {
	state, err := unix.Adjtimex(&unix.Timex{})
	return err == nil, state != unix.TIME_ERROR
}

// Magic numbers of file systems over a network (statfs(2)), which do not keep the promises of a disk.
var overNetwork = []uint32{unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.V9FS_MAGIC}

// remote says whether a folder is on a file system over a network.
func remote(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && slices.Contains(overNetwork, uint32(s.Type))
}
