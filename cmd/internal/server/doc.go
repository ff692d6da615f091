// Package server is the control plane: `relent serve`. It shows what the processes of a fleet do, carries the stops and
// overrides of operators to them, lends them budget, and takes their audit records.
//
// # Where things are
//
//	what                          where                           when two servers share a database
//	stops, overrides, releases    documents in the database       any of them takes commands; the other hears of it within Poll
//	policies of the configuration documents in the database       the file that was read last counts for the fleet
//	audit records                 the database                    each process's records form a chain of its own
//	views and events of processes memory of the server they talk  a summary is put into the database each second, for the others
//	lent budget                   memory                          each lends its share; a restart lends nothing until all leases have run out
//
// A server can be killed at any time: processes reconnect to it or to another one, and keep what they were told last.
//
// # What it serves
//
//	/                     the dashboard and its API (package dashboard)
//	/api/v1/requests      releases that wait for a second person
//	/api/v1/config/reload reads the configuration file again
//	/fleet/v1/…           for processes (control.Fleet)
//	/metrics              for Prometheus (contrib/prom)
//	/livez /readyz /healthz
package server
