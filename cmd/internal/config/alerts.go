package config

import (
	"net/url"
	"strings"

	"github.com/relent-go/relent/observe/analytics"
)

// An Alert says where findings are told: one of webhook, log and audit.
type Alert struct {
	Webhook  string   `yaml:"webhook" jsonschema:"oneof_required=webhook" check:"secret" jsonschema_description:"the http or https URL that findings are posted to as JSON; it is kept secret"`
	Key      string   `yaml:"secret_file" check:"env" jsonschema_description:"holds the key that posts of webhook are signed with, 16 bytes or more; default they are not signed"`
	Log      bool     `yaml:"log" jsonschema:"oneof_required=log" jsonschema_description:"written to the log of relent serve"`
	Audit    bool     `yaml:"audit" jsonschema:"oneof_required=audit" jsonschema_description:"written to the audit log"`
	Severity string   `yaml:"severity" jsonschema:"enum=info,enum=ticket,enum=page" jsonschema_description:"milder findings are not told; default info, so all are"`
	Kinds    []string `yaml:"kinds" jsonschema:"enum=error_shift,enum=retry_storm,enum=correlated_failure,enum=hidden_dependency,enum=periodic,enum=flapping,enum=brownout,enum=class_shift,enum=new_error,enum=bad_shard,enum=herd,enum=synchronised,enum=papering_over,enum=ineffective" jsonschema_description:"of findings that are told; default all"`
}

// Least is the severity from which on findings are told.
func (a *Alert) Least() analytics.Severity {
	if a.Severity == "" {
		return analytics.Info
	}
	return analytics.ParseSeverity(a.Severity)
}

// alerting notes what is wrong with the alerts.
func (l *loader) alerting(c *Content) {
	for _, name := range sorted(c.Alerts) {
		a, path := c.Alerts[name], join("alerts", name)
		var given []string
		for _, field := range []string{"webhook", "log", "audit"} {
			if _, ok := l.places[join(path, field)]; ok {
				given = append(given, field)
			}
		}
		switch {
		case len(given) == 0:
			l.note(l.keyOf(path), path, MissingRequired, "%s: say where findings are told: webhook, log or audit", dotted(path))
		case len(given) > 1:
			l.note(l.keyOf(join(path, given[1])), join(path, given[1]), Contradiction, "%s: an alert goes to one of %s: define two", dotted(path), list(given, "and"))
		case given[0] == "log" && !a.Log || given[0] == "audit" && !a.Audit:
			at := join(path, given[0])
			l.note(l.valueOf(at), at, Contradiction, "%s: false tells nobody: leave the alert out", dotted(at))
		}
		if at := join(path, "webhook"); a.Webhook != "" {
			if u, err := url.Parse(a.Webhook); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(u.Host, " ") {
				l.note(l.valueOf(at), at, BadValue, "%s: want http or https and a host, such as https://hooks.example/relent", dotted(at))
			}
		}
		if at := join(path, "secret_file"); a.Key != "" && !contains(given, "webhook") {
			l.note(l.keyOf(at), at, Contradiction, "%s signs what is posted to a webhook, and there is none", dotted(at))
		}
	}
}
