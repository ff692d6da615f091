//go:build unix

// Package rerun runs any program with retries: it is the engine room of "relent run -- COMMAND".
//
// [Command] is plain data and its Run does the work; [NewCobra] puts the flags in front of it.
//
// # Output
//
// stdout belongs to the command. Everything that relent has to say goes to stderr, the report of
// -o json too: it is one line of JSON, the last that relent writes there.
//
// # What an attempt may leave behind
//
// Each attempt is a process group of its own.
//
//   - Ended by a signal, whoever sent it, or by a timeout: nothing of the group is left when the attempt is over.
//   - Failed, and another attempt may follow: what it left in its group is ended before that, so
//     that two attempts never overlap.
//   - Succeeded, or failed for good: what it left is left alone. It may be a daemon.
//
// In plain words: processes that leave their group (setsid) are their own masters; all others do
// not outlive an attempt that was cut short or is repeated.
//
// # On a terminal
//
// The attempt's group is the foreground one, so the keyboard's ^C and ^Z are the command's and not
// relent's. A command that ^C ends, or that then exits with 130, is not repeated; one that catches ^C and
// exits with another code is a failure like any other, and the ^C that ends relent is the one typed
// during the wait. With a pipe at stdin or stdout somebody beside relent may want the keyboard (less
// does); the group then gets the terminal when it first asks for it, and until then ^C is relent's.
//
// # Giving up
//
// relent gives up when the last attempt failed and no other will follow, for whatever reason
// except a signal to relent. That is when --fail-cmd runs and --exit-code-on-give-up counts.
//
// Unix only: process groups and terminals have no counterpart elsewhere.
package rerun
