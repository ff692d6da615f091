package main

import (
	"encoding/json"
	"os"
	"time"
)

// Results are everything a run found, as written to results.json.
type Results struct {
	Date      time.Time  `json:"date"`
	Command   string     `json:"command"`
	Short     bool       `json:"short"` // too few and too short runs to rely on
	Machine   Machine    `json:"machine"`
	Rounds    int        `json:"rounds"`
	BenchTime string     `json:"benchtime"`
	Subjects  []Subject  `json:"subjects"` // in the order of the columns
	Lines     []Line     `json:"lines,omitempty"`
	Waiting   []Waiting  `json:"waiting,omitempty"`
	Behaviour []Question `json:"behaviour,omitempty"`
}

// A Subject is a library under comparison.
type Subject struct {
	Name    string `json:"name"`
	Module  string `json:"module,omitempty"` // none for the bare floor
	Version string `json:"version,omitempty"`
	Licence string `json:"licence,omitempty"`
	Waits   bool   `json:"waits"` // has calls that wait outside HTTP
}

// A Line is one piece of work and what it costs each subject.
type Line struct {
	Name  string          `json:"name"`
	Costs map[string]Cost `json:"costs"` // by subject; absent where it lacks the feature
}

// A Cost is what one subject's runs of one line came to.
type Cost struct {
	Nanoseconds float64 `json:"ns"`              // median
	Low         float64 `json:"ns_p25"`          // quartile
	High        float64 `json:"ns_p75"`          // quartile
	Ratio       float64 `json:"ratio,omitempty"` // of the medians, to the bare floor
	Bytes       float64 `json:"bytes"`           // median
	Allocs      float64 `json:"allocs"`          // median
	Runs        int     `json:"runs"`
}

// Waiting is what many calls cost that wait between two attempts. Fields are as the program
// internal/peer/waiting prints them.
type Waiting struct {
	Subject      string  `json:"subject"`
	Start        string  `json:"start"` // burst or paced
	Calls        int     `json:"calls"`
	BytesPerCall float64 `json:"bytes_per_call,omitempty"` // of a burst only
	CPUPerCall   float64 `json:"cpu_ns_per_call"`
	Goroutines   float64 `json:"goroutines_per_call"`
	LateP50      float64 `json:"late_p50_ms"`
	LateP99      float64 `json:"late_p99_ms"`
	LateMax      float64 `json:"late_max_ms"`
}

// A Question is one probe of behaviour, and what the subjects did.
type Question struct {
	Probe string            `json:"probe"`
	Cells map[string]string `json:"cells"` // by subject
}

func (r *Results) write(file string) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}
