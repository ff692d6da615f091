package grafana

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// The schema from which Grafana generates its SDK knows every field of the committed dashboard, those of panels and queries,
// too, and no required one is missing. It does not know fields that are misspelt.
func TestGrafanaSchema(t *testing.T) {
	text, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	known := cog.NewRuntime()
	known.RegisterPanelcfgVariant(stat.VariantConfig())
	known.RegisterPanelcfgVariant(statetimeline.VariantConfig())
	known.RegisterPanelcfgVariant(timeseries.VariantConfig())
	known.RegisterDataqueryVariant(prometheus.VariantConfig())
	fits := func(text []byte) error {
		var d dashboard.Dashboard
		err := errors.Join(d.UnmarshalJSONStrict(text), d.Validate())
		if all, ok := errors.AsType[cog.BuildErrors](err); ok && len(all) == 0 {
			return nil // it returns an empty list of mistakes
		}
		return err
	}
	if err := fits(text); err != nil {
		t.Error(err)
	}
	for _, field := range []string{"timezone", "gridPos", "legendFormat", "reduceOptions"} {
		odd := bytes.Replace(text, []byte(`"`+field+`"`), []byte(`"`+field+`s"`), 1)
		if bytes.Equal(odd, text) {
			t.Fatalf("there is no %s", field)
		}
		if fits(odd) == nil {
			t.Errorf("%ss is accepted: the schema says nothing", field)
		}
	}
}
