package main

import (
	"maps"
	"slices"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/server"
	"github.com/relent-go/relent/observe/analytics"
)

// told says who is told of findings by a configuration.
func told(file *config.File) (list []server.Alert) {
	for _, name := range slices.Sorted(maps.Keys(file.Alerts)) {
		a := file.Alerts[name]
		one := server.Alert{Name: name, Webhook: a.Webhook, Secret: a.Key, Log: a.Log, Audit: a.Audit, Least: a.Least()}
		for _, k := range a.Kinds {
			one.Kinds = append(one.Kinds, analytics.Kind(k))
		}
		list = append(list, one)
	}
	return list
}
