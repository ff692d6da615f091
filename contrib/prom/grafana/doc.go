// Package grafana makes the Grafana dashboard over relent's metrics, deploy/grafana/relent.json.
//
// Where an alert has a threshold, its panel draws it, from the same constants as the rules. Panels over an
// operation are filtered by the variable policy, those over orders and streams by venue.
package grafana

//go:generate go run ./generate ../../../deploy/grafana/relent.json
