//go:build race

package lease

// fleetCells is short here: the race detector makes the fleet twenty times slower.
const fleetCells = 80
