// Package relent is the root of a retry system for trading platforms: retries that know when to
// stop. It holds no code. Most programs import
//
//	github.com/relent-go/relent/retry                 the engine
//	github.com/relent-go/relent/backoff               how long to wait
//	github.com/relent-go/relent/transport/retryhttp   retries for any HTTP client
//	github.com/relent-go/relent/gate/...              budgets, breakers, limits, the emergency stop
//
// README.md has the map; the program is in cmd/relent.
package relent
