// Package operate has the commands of relent for whoever is on call: stop, resume, status, orders and doctor.
//
//	root.AddCommand(operate.New(operate.Program{Config: readConfig, Colored: colored})...)
//	operate.Flags(root.PersistentFlags())
//
// stop, resume and status talk to a server: relent serve, or any process that mounts the dashboard. stop also works
// without one, through the file that gate/halt watches, and orders reads the order log in its database. orders resolve leaves a decision there, for the process that trades.
//
// # Where a value comes from
//
// A flag, else the environment, else the configuration, else the default. The configuration is not read where a flag
// or the environment has answered already: a mistake in it stands in nobody's way in an emergency.
//
// # Errors
//
// Commands return a [rerun.Exit]: 2 for a mistake on the command line, 3 for an invalid configuration, 1 for what
// failed. The text says what failed and why, and its last line what to try.
package operate
