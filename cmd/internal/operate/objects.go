package operate

import (
	"io"

	"github.com/relent-go/relent/control"
)

// objects writes a status as one object a line: first of all, and then part by part, each under the name of its kind.
func objects(w io.Writer, s *status) error {
	err := object(w, "status", struct {
		Server   string              `json:"server"`
		At       any                 `json:"at"`
		Instance string              `json:"instance"`
		Since    any                 `json:"since"`
		Build    control.Build       `json:"build"`
		Window   float64             `json:"window_seconds"`
		Audit    *control.AuditView  `json:"audit,omitempty"`
		Config   *control.ConfigView `json:"config,omitempty"`
		Dropped  map[string]uint64   `json:"dropped,omitempty"`
		Settings []setting           `json:"settings,omitempty"`
	}{s.Server, s.At, s.Instance, s.Since, s.Build, s.Window, s.Audit, s.Config, s.Dropped, s.Settings})
	for _, part := range []func() error{
		func() error { return each(w, "stop", s.Stops) },
		func() error { return each(w, "finding", s.Findings) },
		func() error { return each(w, "policy", s.Policies) },
		func() error { return each(w, "circuit", s.Circuits) },
		func() error { return each(w, "budget", s.Budgets) },
		func() error { return each(w, "venue", s.Venues) },
		func() error { return each(w, "component", s.Components) },
		func() error { return each(w, "instance", s.Instances) },
	} {
		if err != nil {
			return err
		}
		err = part()
	}
	return err
}

func each[T any](w io.Writer, kind string, list []T) error {
	for i := range list {
		if err := object(w, kind, &list[i]); err != nil {
			return err
		}
	}
	return nil
}

func object(w io.Writer, kind string, value any) error {
	return document(w, map[string]any{"v": 1, "kind": kind, kind: value})
}
