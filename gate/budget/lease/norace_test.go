//go:build !race

package lease

// fleetCells is how long the fleet lives.
const fleetCells = 400
