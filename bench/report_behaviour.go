package main

import (
	"slices"
	"strings"
)

// behaviourTable has a column for each subject if it may be wide, and else a row for each answer.
func (r *Results) behaviourTable(wide bool) *table {
	var subjects []string
	for _, s := range r.Subjects {
		if s.Name != bare {
			subjects = append(subjects, s.Name)
		}
	}
	t := &table{title: "Behaviour, as observed", prose: true}
	if wide {
		t.head = append([]string{"question"}, subjects...)
		for _, q := range r.Behaviour {
			var cells []cell
			for _, s := range subjects {
				cells = append(cells, cell{text: q.Cells[s]})
			}
			t.add(q.Probe, cells...)
		}
		return t
	}
	t.head = []string{"question", "answer", "of"}
	for _, q := range r.Behaviour {
		question := q.Probe
		for _, a := range q.answers(subjects) {
			t.add(question, cell{text: a.text}, cell{text: strings.Join(a.subjects, ", ")})
			question = ""
		}
	}
	return t
}

// An answer is what several subjects do alike.
type answer struct {
	text     string
	subjects []string
}

// answers groups the subjects, in their order, by what they do.
func (q Question) answers(subjects []string) (all []answer) {
	for _, s := range subjects {
		i := slices.IndexFunc(all, func(a answer) bool { return a.text == q.Cells[s] })
		if i < 0 {
			i = len(all)
			all = append(all, answer{text: q.Cells[s]})
		}
		all[i].subjects = append(all[i].subjects, s)
	}
	return all
}
