package rerun

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// groupGone says whether no process of group is left. Zombies do not count: where process 1 does
// not wait for orphans, as in many containers, they stay for ever.
func groupGone(group int) bool {
	if unix.Kill(-group, 0) == unix.ESRCH {
		return true
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return false
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	zombies := 0
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		switch member, alive := inspect(name, group); {
		case member && alive:
			return false
		case member:
			zombies++
		}
	}
	return zombies > 0 // else the members are hidden from us (proc(5), hidepid)
}

// inspect says whether process pid belongs to group, and is alive.
func inspect(pid string, group int) (member, alive bool) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false, false // it has just ended
	}
	// proc_pid_stat(5): pid (comm) state ppid pgrp … num_threads, of which comm may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const state, pgrp, threads = 0, 2, 17
	if len(fields) <= threads {
		return false, false
	}
	if n, err := strconv.Atoi(string(fields[pgrp])); err != nil || n != group {
		return false, false
	}
	// A process whose first thread alone has ended looks like a zombie, but has other threads.
	zombie := (fields[state][0] == 'Z' || fields[state][0] == 'X') && string(fields[threads]) == "1"
	return true, !zombie
}
