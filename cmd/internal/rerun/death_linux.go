package rerun

import "syscall"

// tieToParent asks the kernel to send the child TERM when relent dies in a way that leaves it no
// time to do so itself. "Parent" means the thread that forked (prctl(2), PR_SET_PDEATHSIG;
// golang/go#27505): the caller keeps that thread locked while the child runs.
func tieToParent(sys *syscall.SysProcAttr) { sys.Pdeathsig = syscall.SIGTERM }
